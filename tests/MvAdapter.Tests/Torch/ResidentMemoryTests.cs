using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

[Collection(Alone.Name)]
public sealed class ResidentMemoryTests
{
    [Fact]
    public void Hundreds_of_training_steps_leave_resident_memory_flat()
    {
        using var scope = new TensorScope();
        using var generator = new Generator(1);
        Tensor[] weights = [Tensor.RandN([256, 128], generator) / 16, Tensor.RandN([10, 256], generator) / 16];
        foreach (var weight in weights) weight.RequiresGrad = true;
        for (var i = 0; i < 30; i++) Step(weights, generator);
        var (living, before) = (Alone.LivingTensors(), TorchRuntime.Memory(Device.Cpu).Current);
        for (var i = 0; i < 300; i++) Step(weights, generator);
        Assert.Equal(living, Tensor.Living);
        Assert.InRange(TorchRuntime.Memory(Device.Cpu).Current - before, long.MinValue, 20 << 20);
    }

    // A leak of the activations alone would be 256 x 256 floats, a quarter of a megabyte, a step.
    private static void Step(Tensor[] weights, Generator generator)
    {
        using var scope = new TensorScope();
        var hidden = Functional.Linear(Tensor.RandN([256, 128], generator), weights[0]);
        var logits = Functional.Linear(hidden * (hidden * 1.702).Sigmoid(), weights[1]);
        Functional.CrossEntropy(logits, Tensor.Zeros([256], DType.Int64)).Backward();
        using var noGrad = new NoGrad();
        foreach (var weight in weights)
        {
            weight.AddInPlace(weight.Grad!, -0.01);
            weight.Grad = null;
        }
    }
}
