using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class AdamWTests
{
    [Fact]
    public void The_first_step_is_the_learning_rate_against_the_gradient_s_sign()
    {
        // Bias correction makes mean / sqrt(variance) the sign, whatever the gradient's size.
        Assert.Equal([0.9f, -1.9f], Step([1, -2], [0.2f, -0.3f], 0.1, 0), new Near(1e-5));
    }

    [Fact]
    public void Decay_is_decoupled_from_the_gradient()
    {
        // 1 * (1 - 0.1 * 0.5) - 0.1 and so on.
        Assert.Equal([0.85f, -1.8f], Step([1, -2], [0.2f, -0.3f], 0.1, 0.5), new Near(1e-5));
    }

    [Fact]
    public void A_parameter_without_a_gradient_stays()
    {
        using var scope = new TensorScope();
        var (moved, idle) = (Leaf([1f]), Leaf([1f]));
        using var optimizer = new AdamW([Trained("moved", moved, 0.1, 0.5), Trained("idle", idle, 0.1, 0.5)], _ => 1);
        (moved * 3).Sum().Backward();
        optimizer.Step();
        Assert.Equal(1, idle.ToDouble());
        Assert.NotEqual(1, moved.ToDouble());
    }

    [Fact]
    public void It_finds_the_bottom_of_a_bowl()
    {
        using var scope = new TensorScope();
        var x = Leaf([3f, -4f]);
        using var optimizer = new AdamW([Trained("x", x, 0.1, 0)], step => 1 / (1 + step / 30.0));
        for (var i = 0; i < 300; i++)
        {
            using var step = new TensorScope();
            (x * x).Sum().Backward();
            optimizer.Step();
        }
        Assert.All(x.ToFloats(), value => Assert.InRange(value, -0.05f, 0.05f));
    }

    private static float[] Step(float[] values, float[] gradient, double rate, double decay)
    {
        using var scope = new TensorScope();
        var x = Leaf(values);
        using var optimizer = new AdamW([Trained("x", x, rate, decay)], _ => 1);
        (x * Tensor.From(gradient, gradient.Length)).Sum().Backward();
        optimizer.Step();
        Assert.Null(x.Grad);
        return x.ToFloats();
    }

    private static Tensor Leaf(float[] values)
    {
        var tensor = Tensor.From(values, values.Length);
        tensor.RequiresGrad = true;
        return tensor;
    }

    private static TrainedParameter Trained(string name, Tensor value, double rate, double decay) => new(name, value, new GroupSettings(rate, decay));

    private sealed class Near(double tolerance) : IEqualityComparer<float>
    {
        public bool Equals(float x, float y) => Math.Abs(x - y) <= tolerance;

        public int GetHashCode(float value) => 0;
    }
}
