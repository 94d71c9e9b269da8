using MvAdapter.Adapters;
using MvAdapter.Tests.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>Blocks computed again for their gradients against blocks that keep everything. Alone: dropout draws from the process's generator.</summary>
[Collection(Alone.Name)]
public sealed class GradientCheckpointingTests : IDisposable
{
    private readonly TensorScope scope = new();
    private readonly TinyModel tiny = new();

    public static TheoryData<string> MethodNames =>
        [.. Methods.All.Select(method => method.Name).Where(name => name != "zero-shot")];

    public void Dispose()
    {
        tiny.Dispose();
        scope.Dispose();
    }

    [Theory]
    [MemberData(nameof(MethodNames))]
    public void The_loss_and_every_gradient_are_the_same(string method) => AreTheSame(method, 0);

    [Theory]
    [InlineData("mv-adapter")]
    [InlineData("convpass")]
    [InlineData("st-adapter")]
    public void With_tokens_merged_too(string method) => AreTheSame(method, 3);

    private void AreTheSame(string method, int mergeTokens)
    {
        using var model = tiny.CreateMoved(method);
        model.MergeTokens = mergeTokens;
        var kept = Run(model, false);
        var again = Run(model, true);
        // Not to the bit: without a graph other kernels multiply.
        Assert.Equal(kept.Loss, again.Loss, Rounding.BoundOfLoss(model, TinyModel.Layers));
        Rounding.AssertSameGradients(kept.Gradients, again.Gradients, Rounding.SumsOf(TinyModel.Layers) + 1);
    }

    [Fact]
    public void The_generator_goes_on_as_if_nothing_had_been_computed_twice()
    {
        using var model = tiny.CreateMoved("adaptformer");   // it has dropout
        Run(model, false);
        var kept = Tensor.RandN([4]).ToFloats();
        Run(model, true);
        Assert.Equal(kept, Tensor.RandN([4]).ToFloats());
    }

    [Fact]
    public void A_segment_that_fails_says_why_and_a_later_failure_names_the_segment()
    {
        var x = Tensor.Ones([2]);
        x.RequiresGrad = true;
        Assert.Equal("at once", Assert.Throws<InvalidOperationException>(() =>
            GradientCheckpoint.Run(x, _ => throw new InvalidOperationException("at once"))).Message);
        var calls = 0;
        var y = GradientCheckpoint.Run(x, input => calls++ == 0 ? input * 2 : throw new InvalidOperationException("later"));
        Assert.Contains("segment", Assert.Throws<TorchException>(() => y.Sum().Backward()).Message, StringComparison.Ordinal);
        Assert.Equal(2, calls);
    }

    [Fact]
    public void Nothing_of_a_segment_outlives_the_graph()
    {
        var x = Tensor.Ones([2]);
        x.RequiresGrad = true;
        var held = Hold(x);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(held.IsAlive);

        static WeakReference Hold(Tensor x)
        {
            using var inner = new TensorScope();
            var payload = new object();
            GradientCheckpoint.Run(x, input => payload is null ? input : input * 3).Sum().Backward();
            return new WeakReference(payload);
        }
    }

    [Fact]
    public void Gradients_of_blocks_without_gradients_recorded_are_not_asked_for()
    {
        using var noGrad = new NoGrad();
        Assert.False(GradientCheckpoint.Run(Tensor.Ones([2]), input => input * 2).RequiresGrad);
    }

    private (double Loss, Dictionary<string, float[]> Gradients) Run(RetrievalModel model, bool again)
    {
        model.GradientCheckpointing = again;
        Generator.ManualSeed(5);
        using var step = new TrainingStep(model, new OptimizerGroups(), static _ => 1);
        step.Discard();
        using var scope = new TensorScope();
        var loss = step.Accumulate(new TrainingInput(FrameBatch.Padded(tiny.Pixels, tiny.Mask), tiny.Ids)).ToDouble();
        var gradients = model.TrainableParameters().Where(item => item.Value.Grad is not null).ToDictionary(item => item.Key, item => item.Value.Grad!.ToArray<float>());
        step.Discard();
        return (loss, gradients);
    }
}
