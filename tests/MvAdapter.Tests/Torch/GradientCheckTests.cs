using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using static MvAdapter.Tests.Support.TensorValues;

namespace MvAdapter.Tests.Torch;

/// <summary>Gradients of what the models are made of, against central differences in float64.</summary>
public sealed class GradientCheckTests
{
    [Fact]
    public void Quick_gelu() => Check(x => x[0] * (x[0] * 1.702).Sigmoid(), Random(1, 3, 4) * 3);

    [Fact]
    public void Gelu_and_relu() => Check(x => Functional.Gelu(x[0]) + x[0].Relu(), Random(2, 3, 4));

    [Fact]
    public void Linear() => Check(x => Functional.Linear(x[0], x[1], x[2]), Random(3, 2, 3, 4), Random(4, 5, 4), Random(5, 5));

    [Fact]
    public void Layer_norm() => Check(x => Functional.LayerNorm(x[0], x[1], x[2], 1e-5), Random(6, 3, 5), Random(7, 5), Random(8, 5));

    [Fact]
    public void Attention() => Check(
        x => Functional.Softmax(x[0].MatMul(x[1].Transpose(-2, -1)) / Math.Sqrt(3), -1).MatMul(x[2]),
        Random(9, 2, 4, 3), Random(10, 2, 4, 3), Random(11, 2, 4, 3));

    [Fact]
    public void Contrastive_loss() => Check(x =>
    {
        var logits = Functional.Normalize(x[0]).MatMul(Functional.Normalize(x[1]).T()) * x[2].Exp();
        var targets = Tensor.Arange(3);
        return (Functional.CrossEntropy(logits, targets) + Functional.CrossEntropy(logits.T(), targets)) / 2;
    }, Random(12, 3, 4), Random(13, 3, 4), Random(14));

    [Fact]
    public void Kronecker() => Check(x => Functional.Kronecker(x[0], x[1]), Random(15, 2, 3), Random(16, 2, 2));

    [Fact]
    public void Embedding() => Check(x => Functional.Embedding(x[0], Tensor.From([1L, 1L, 0L], 3)), Random(17, 3, 2));

    [Fact]
    public void Convolution() => Check(
        x => Functional.Conv3d(x[0], x[1], x[2], padding: [1, 0, 0], groups: 2), Random(18, 1, 2, 3, 3, 3), Random(19, 2, 1, 3, 2, 2), Random(20, 2));

    [Fact]
    public void Indexing_and_shapes() => Check(
        x => Tensor.Concatenate([x[0][.., 1..3].T(), x[0][Tensor.From([0L, 0L], 2)].Narrow(1, 0, 3).Permute(0, 1)], 0)
             + x[0].Mean([0], keep: true)[.., ..3],
        Random(21, 3, 4));

    [Fact]
    public void Broadcast_arithmetic() => Check(
        x => (x[0] + x[1]) * x[1] / (2 + x[0] * x[0]) - (1 / (3 + x[1])), Random(22, 2, 3), Random(23, 3));

    /// <summary>Compares d(sum of weighted outputs)/d(input) with (f(x + h) - f(x - h)) / 2h for every element of every input.</summary>
    private static void Check(Func<Tensor[], Tensor> function, params Tensor[] inputs)
    {
        const double h = 1e-5;
        using var scope = new TensorScope();
        var leaves = Array.ConvertAll(inputs, input => input.Detach());
        var output = function(leaves);
        var weights = Random(99, [.. output.Shape]);
        foreach (var leaf in leaves) leaf.RequiresGrad = true;
        var gradients = Autograd.Gradient([(function(leaves) * weights).Sum()], leaves);
        foreach (var leaf in leaves) leaf.RequiresGrad = false;
        for (var n = 0; n < leaves.Length; n++)
        {
            var gradient = gradients[n]!.ToDoubles();
            for (var i = 0; i < gradient.Length; i++)
            {
                var numeric = (At(n, i, h) - At(n, i, -h)) / (2 * h);
                Assert.True(Math.Abs(numeric - gradient[i]) < 1e-7, $"input {n}, element {i}: numeric {numeric}, autograd {gradient[i]}");
            }
        }

        double At(int input, int element, double shift)
        {
            using var inner = new TensorScope();
            var moved = (Tensor[])leaves.Clone();
            moved[input] = leaves[input].Clone();
            moved[input].AsSpan<double>()[element] += shift;
            return (function(moved) * weights).Sum().ToDouble();
        }
    }
}
