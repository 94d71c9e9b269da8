using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using static MvAdapter.Tests.Support.TensorValues;

namespace MvAdapter.Tests.Torch;

/// <summary>Each function against plain loops.</summary>
public sealed class FunctionalTests
{
    [Fact]
    public void Linear_is_a_product_with_the_transpose_and_a_shift()
    {
        using var scope = new TensorScope();
        var (x, w, b) = (Random(1, 2, 3, 4), Random(2, 5, 4), Random(3, 5));
        var (xs, ws, bs) = (x.ToDoubles(), w.ToDoubles(), b.ToDoubles());
        var expected = new double[2 * 3 * 5];
        for (var row = 0; row < 6; row++)
            for (var o = 0; o < 5; o++)
            {
                expected[row * 5 + o] = bs[o];
                for (var i = 0; i < 4; i++) expected[row * 5 + o] += xs[row * 4 + i] * ws[o * 4 + i];
            }
        Assert.Equal([2L, 3L, 5L], Functional.Linear(x, w, b).Shape);
        AssertClose(expected, Functional.Linear(x, w, b));
        AssertClose([.. expected.Select((value, i) => value - bs[i % 5])], Functional.Linear(x, w));
    }

    [Fact]
    public void Layer_norm_standardises_rows()
    {
        using var scope = new TensorScope();
        var (x, w, b) = (Random(1, 3, 4), Random(2, 4), Random(3, 4));
        var (xs, ws, bs) = (x.ToDoubles(), w.ToDoubles(), b.ToDoubles());
        var expected = new List<double>();
        foreach (var row in xs.Chunk(4))
        {
            var mean = row.Average();
            var variance = row.Sum(v => (v - mean) * (v - mean)) / 4;
            expected.AddRange(row.Select((v, i) => (v - mean) / Math.Sqrt(variance + 1e-3) * ws[i] + bs[i]));
        }
        AssertClose(expected, Functional.LayerNorm(x, w, b, 1e-3));
    }

    [Fact]
    public void Softmax_and_its_logarithm_run_over_one_dimension()
    {
        using var scope = new TensorScope();
        var x = Random(4, 3, 5) * 4;
        var rows = x.ToDoubles().Chunk(5).Select(row => row.Select(v => Math.Exp(v) / row.Sum(other => Math.Exp(other)))).SelectMany(row => row).ToList();
        AssertClose(rows, Functional.Softmax(x, -1));
        AssertClose([.. rows.Select(value => Math.Log(value))], Functional.LogSoftmax(x, 1));
        AssertClose(rows, Functional.Softmax(x.T(), 0).T());
    }

    [Fact]
    public void Softmax_of_huge_numbers_does_not_overflow()
    {
        using var scope = new TensorScope();
        AssertClose([0.5, 0.5, 0], Functional.Softmax(Tensor.From([1e30, 1e30, double.NegativeInfinity], 3), 0));
    }

    [Fact]
    public void Cross_entropy_is_the_mean_of_the_negative_logarithms()
    {
        using var scope = new TensorScope();
        var logits = Random(5, 3, 4) * 3;
        long[] targets = [2, 0, 3];
        var expected = logits.ToDoubles().Chunk(4).Select((row, i) => Math.Log(row.Sum(v => Math.Exp(v))) - row[targets[i]]).Average();
        Assert.Equal(expected, Functional.CrossEntropy(logits, Tensor.From(targets, 3)).ToDouble(), 1e-12);
        Assert.Contains("aten::cross_entropy_loss(float64[3, 4], int64[2]",
            Assert.Throws<TorchException>(() => Functional.CrossEntropy(logits, Tensor.Arange(2))).Message);
        Assert.Throws<TorchException>(() => Functional.CrossEntropy(logits, Tensor.From([0L, 1L, 4L], 3)));
    }

    [Fact]
    public void Embedding_takes_rows()
    {
        using var scope = new TensorScope();
        var table = Tensor.From([0.0, 1, 10, 11, 20, 21], 3, 2);
        var rows = Functional.Embedding(table, Tensor.From([2L, 0L, 2L, 1L], 2, 2));
        Assert.Equal([2L, 2L, 2L], rows.Shape);
        AssertClose([20, 21, 0, 1, 20, 21, 10, 11], rows);
        Assert.Throws<TorchException>(() => Functional.Embedding(table, Tensor.From([3L], 1)));
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(2, 0, 4)]
    public void Two_dimensional_convolution(int stride, int padding, int groups)
    {
        using var scope = new TensorScope();
        var (x, w, b) = (Random(6, 2, 4, 5, 6), Random(7, 4, 4 / groups, 3, 2), Random(8, 4));
        var result = Functional.Conv2d(x, w, b, [stride, stride], [padding, padding], groups);
        // The same as a convolution over one frame with a kernel one frame deep.
        var (shape, expected) = Convolve(x.Unsqueeze(2), w.Unsqueeze(2), b.ToDoubles(), [1, stride, stride], [0, padding, padding], groups);
        Assert.Equal([shape[0], shape[1], shape[3], shape[4]], result.Shape);
        AssertClose(expected, result);
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(2, 1, 1)]
    public void Three_dimensional_convolution(int stride, int padding, int groups)
    {
        using var scope = new TensorScope();
        var (x, w) = (Random(9, 1, 2, 4, 5, 3), Random(10, 4, 2 / groups, 3, 2, 1));
        var (shape, expected) = Convolve(x, w, new double[4], [stride, 1, 1], [padding, 0, 0], groups);
        var result = Functional.Conv3d(x, w, null, [stride, 1, 1], [padding, 0, 0], groups);
        Assert.Equal(shape, result.Shape);
        AssertClose(expected, result);
    }

    [Fact]
    public void Convolution_defaults_to_stride_one_without_padding()
    {
        using var scope = new TensorScope();
        Assert.Equal([1L, 3L, 4L, 3L], Functional.Conv2d(Tensor.Ones([1, 2, 5, 5]), Tensor.Ones([3, 2, 2, 3])).Shape);
        Assert.Equal([1L, 3L, 2L, 2L, 2L], Functional.Conv3d(Tensor.Ones([1, 2, 3, 3, 3]), Tensor.Ones([3, 2, 2, 2, 2])).Shape);
    }

    [Fact]
    public void Kronecker_products_scale_the_second_matrix_by_each_entry_of_the_first()
    {
        using var scope = new TensorScope();
        var (a, b) = (Random(11, 2, 3), Random(12, 3, 2));
        var product = Functional.Kronecker(a, b);
        Assert.Equal([6L, 6L], product.Shape);
        for (var i = 0; i < 6; i++)
            for (var j = 0; j < 6; j++)
                Assert.Equal(a[i / 3, j / 2].ToDouble() * b[i % 3, j % 2].ToDouble(), product[i, j].ToDouble(), 1e-12);
    }

    [Fact]
    public void Normalize_gives_unit_length()
    {
        using var scope = new TensorScope();
        var x = Tensor.From([3.0, 4, 0, -2], 2, 2);
        AssertClose([0.6, 0.8, 0, -1], Functional.Normalize(x));
        AssertClose([1, 4 / Math.Sqrt(20), 0, -2 / Math.Sqrt(20)], Functional.Normalize(x, 0));
    }

    [Fact]
    public void Gelu_is_exact()
    {
        using var scope = new TensorScope();
        // Values of x times the normal distribution function.
        AssertClose([0, 0.8413447460685429, -0.15865525393145707, 1.9544997361036416], Functional.Gelu(Tensor.From([0.0, 1, -1, 2], 4)), 1e-9);
    }

    [Fact]
    public void Dropout_zeroes_in_training_alone()
    {
        using var scope = new TensorScope();
        var x = Tensor.Ones([1000]);
        Assert.Same(x, Functional.Dropout(x, 0.5, training: false));
        Assert.Same(x, Functional.Dropout(x, 0, training: true));
        var dropped = Functional.Dropout(x, 0.25, training: true).ToFloats();
        Assert.All(dropped, value => Assert.True(value is 0 || Math.Abs(value - 4 / 3f) < 1e-6));
        Assert.InRange(dropped.Count(value => value == 0), 150, 350);
    }

    /// <summary>Cross-correlation of [N, C, T, H, W] by its definition.</summary>
    private static (long[] Shape, double[] Values) Convolve(Tensor x, Tensor w, double[] bias, int[] stride, int[] padding, int groups)
    {
        var (xs, ws) = (x.ToDoubles(), w.ToDoubles());
        var n = x.Shape.Select(size => (int)size).ToArray();
        var k = w.Shape.Select(size => (int)size).ToArray();
        var size = Enumerable.Range(0, 3).Select(d => (n[d + 2] + 2 * padding[d] - k[d + 2]) / stride[d] + 1).ToArray();
        var values = new List<double>();
        for (var batch = 0; batch < n[0]; batch++)
            for (var o = 0; o < k[0]; o++)
                for (var t = 0; t < size[0]; t++)
                    for (var h = 0; h < size[1]; h++)
                        for (var v = 0; v < size[2]; v++)
                            values.Add(bias[o] + At(batch, o, t * stride[0] - padding[0], h * stride[1] - padding[1], v * stride[2] - padding[2]));
        return ([n[0], k[0], size[0], size[1], size[2]], [.. values]);

        double At(int batch, int o, int t0, int h0, int v0)
        {
            var sum = 0.0;
            for (var i = 0; i < k[1]; i++)
                for (var a = 0; a < k[2]; a++)
                    for (var b = 0; b < k[3]; b++)
                        for (var c = 0; c < k[4]; c++)
                        {
                            var (channel, t, h, v) = (o / (k[0] / groups) * k[1] + i, t0 + a, h0 + b, v0 + c);
                            if (t < 0 || t >= n[2] || h < 0 || h >= n[3] || v < 0 || v >= n[4]) continue;
                            sum += xs[(((batch * n[1] + channel) * n[2] + t) * n[3] + h) * n[4] + v] * ws[(((o * k[1] + i) * k[2] + a) * k[3] + b) * k[4] + c];
                        }
            return sum;
        }
    }
}
