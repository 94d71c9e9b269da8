using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>The tensors of a fixture file, and how results compare with them.</summary>
public sealed class StoredTensors(string path)
{
    private readonly IReadOnlyDictionary<string, StoredTensor> tensors = Safetensors.Read(path).Tensors;

    public IEnumerable<string> Names => tensors.Keys;

    public float[] Values(string name) => tensors[name].ToFloats();

    /// <summary>The tensor in its own type, on the tests' device; freed by the caller's scope.</summary>
    public Tensor this[string name] => Tensor.FromBytes(tensors[name].Data.Span, tensors[name].DType, tensors[name].Shape).To(TestDevice.Current);

    /// <summary>Every row points where it should: its cosine to the expected one exceeds <paramref name="least"/>.</summary>
    public void AssertAlike(string name, Tensor actual, double least) => AssertAlike(name, actual.Shape, actual.ToFloats(), least);

    /// <inheritdoc cref="AssertAlike(string, Tensor, double)"/>
    public void AssertAlike(string name, IReadOnlyList<long> shape, float[] values, double least)
    {
        Assert.Equal(tensors[name].Shape, shape);
        var width = (int)shape[^1];
        Assert.All(Values(name).Chunk(width).Zip(values.Chunk(width)), (pair, row) =>
        {
            var cosine = System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(pair.First, pair.Second);
            Assert.True(cosine > least, $"{name}[{row}]: cosine {cosine}");
        });
    }

    /// <summary>The file has the same tensors as another, every element within <paramref name="absolute"/> of the other's.</summary>
    /// <param name="other">The other file.</param>
    /// <param name="absolute">The bound.</param>
    /// <param name="prefix">What the names of those to compare begin with.</param>
    public void AssertClose(StoredTensors other, double absolute, string prefix = "")
    {
        string[] names = [.. Names.Where(IsMeant)];
        Assert.NotEmpty(names);
        Assert.Equal(names.Order(StringComparer.Ordinal), other.Names.Where(IsMeant).Order(StringComparer.Ordinal));
        Assert.All(names, name => Assert.True(Values(name).Zip(other.Values(name), (a, b) => Math.Abs(a - b)).Max() <= absolute, name));

        bool IsMeant(string name) => name.StartsWith(prefix, StringComparison.Ordinal);
    }

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
