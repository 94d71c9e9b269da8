using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>Tensors from plain numbers and back, so that results compare with loops in C#.</summary>
internal static class TensorValues
{
    /// <summary>Reproducible float64 numbers in [-1, 1).</summary>
    public static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        var values = new double[shape.Aggregate(1L, (product, size) => product * size)];
        for (var i = 0; i < values.Length; i++) values[i] = 2 * random.NextDouble() - 1;
        return Tensor.From(values, shape);
    }

    public static double[] ToDoubles(this Tensor tensor)
    {
        using var scope = new TensorScope();
        return tensor.Detach().To(DType.Float64).ToArray<double>();
    }

    public static void AssertClose(IReadOnlyList<double> expected, Tensor actual, double tolerance = 1e-12)
    {
        var got = actual.ToDoubles();
        Assert.Equal(expected.Count, got.Length);
        for (var i = 0; i < got.Length; i++)
            Assert.True(Math.Abs(expected[i] - got[i]) <= tolerance, $"element {i}: expected {expected[i]}, got {got[i]}");
    }
}
