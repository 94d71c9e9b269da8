using MvAdapter.Tests.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>A batch in parts against the batch as a whole. Alone, because dropout draws from the process's generator.</summary>
[Collection(Alone.Name)]
public sealed class GradientCachingTests : IDisposable
{
    private readonly TensorScope scope = new();
    private readonly TinyModel tiny = new();

    public void Dispose()
    {
        tiny.Dispose();
        scope.Dispose();
    }

    [Theory]
    [InlineData("mv-adapter", 1)]
    [InlineData("mv-adapter", 2)]
    [InlineData("full", 2)]
    [InlineData("linear", 1)]
    public void Parts_give_the_loss_and_the_gradients_of_the_whole(string method, int size)
    {
        using var model = tiny.CreateMoved(method);
        var whole = Run(model, step => step.Accumulate(new TrainingInput(FrameBatch.Padded(tiny.Pixels, tiny.Mask), tiny.Ids), 0.5));
        var parts = Run(model, step => step.Accumulate(Parts(size), 0.5));
        Compare(model, whole, parts);
    }

    // One part with dropout is the whole batch only when both passes over it drop the same.
    [Fact]
    public void Both_passes_over_a_part_drop_the_same()
    {
        using var model = tiny.CreateMoved("adaptformer");
        Generator.ManualSeed(11);
        var whole = Run(model, step => step.Accumulate(new TrainingInput(FrameBatch.Padded(tiny.Pixels, tiny.Mask), tiny.Ids)));
        var parts = Run(model, step => step.Accumulate(Parts(3)));
        Compare(model, whole, parts);
    }

    private List<Func<TrainingInput>> Parts(int size) => [.. Enumerable.Range(0, (3 + size - 1) / size).Select(i => (Func<TrainingInput>)(() =>
    {
        Generator.ManualSeed(11 + (ulong)i);
        var (first, count) = (i * size, Math.Min(size, 3 - i * size));
        return new TrainingInput(FrameBatch.Padded(tiny.Pixels.Narrow(0, first, count), tiny.Mask.Narrow(0, first, count)), tiny.Ids.Narrow(0, first, count));
    }))];

    private static (double Loss, Dictionary<string, float[]> Gradients) Run(RetrievalModel model, Func<TrainingStep, Tensor> accumulate)
    {
        using var step = new TrainingStep(model, new OptimizerGroups(), static _ => 1);
        step.Discard();
        using var scope = new TensorScope();
        var loss = accumulate(step).ToDouble();
        var gradients = model.TrainableParameters().Where(item => item.Value.Grad is not null).ToDictionary(item => item.Key, item => item.Value.Grad!.ToArray<float>());
        step.Discard();
        return (loss, gradients);
    }

    private static void Compare(RetrievalModel model, (double Loss, Dictionary<string, float[]> Gradients) whole, (double Loss, Dictionary<string, float[]> Gradients) parts)
    {
        Assert.Equal(whole.Loss, parts.Loss, Rounding.BoundOfLoss(model, TinyModel.Layers));
        Rounding.AssertSameGradients(whole.Gradients, parts.Gradients, Rounding.SumsOf(TinyModel.Layers) + 1);
    }
}
