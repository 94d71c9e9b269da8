using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>The tensors of a fixture file, and how results compare with them.</summary>
public sealed class StoredTensors(string path)
{
    private readonly IReadOnlyDictionary<string, StoredTensor> tensors = Safetensors.Read(path).Tensors;

    public IEnumerable<string> Names => tensors.Keys;

    public float[] Values(string name) => tensors[name].ToFloats();

    /// <summary>The tensor in its own type; freed by the caller's scope.</summary>
    public Tensor this[string name] => Tensor.FromBytes(tensors[name].Data.Span, tensors[name].DType, tensors[name].Shape);

    /// <summary>Every element lies within <paramref name="absolute"/> + <paramref name="relative"/> |expected|.</summary>
    public void AssertClose(string name, Tensor actual, double absolute, double relative = 0)
    {
        Assert.Equal(tensors[name].Shape, actual.Shape);
        var (expected, got) = (Values(name), actual.ToFloats());
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = Math.Abs((double)expected[i] - got[i]);
            Assert.True(difference <= absolute + relative * Math.Abs(expected[i]), $"{name}[{i}]: expected {expected[i]}, got {got[i]}");
        }
    }
}
