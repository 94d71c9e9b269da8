using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>Both look at the whole process.</summary>
[Collection(Alone.Name)]
public sealed class ObserveTests
{
    [Fact]
    public void A_profile_names_the_operators_of_both_passes_and_the_time_is_that_of_the_work()
    {
        using var scope = new TensorScope();
        var x = Tensor.Ones([256, 256]);
        x.RequiresGrad = true;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var times = OperatorProfile.Take(Device.Cpu, () =>
        {
            using var inner = new TensorScope();
            x.MatMul(x).MatMul(x).Sum().Backward();
        });
        var whole = clock.Elapsed.TotalSeconds;
        Assert.Equal(6, times.Single(time => time.Name == "aten::mm").Calls);    // two products, and two for the gradient of each
        Assert.All(times, time => Assert.True(time.Seconds >= -1e-6, $"{time}"));
        Assert.InRange(times.Sum(time => time.Seconds), times[0].Seconds, whole);
        Assert.Equal(times.OrderByDescending(time => time.Seconds), times);
    }

    [Fact]
    public void A_work_that_fails_ends_its_profile()
    {
        Assert.Throws<InvalidOperationException>(() => OperatorProfile.Take(Device.Cpu, () => throw new InvalidOperationException()));
        Assert.Empty(OperatorProfile.Take(Device.Cpu, () => { }));
    }

    [Fact]
    public void A_profile_within_a_profile_is_refused() =>
        Assert.Throws<TorchException>(() => OperatorProfile.Take(Device.Cpu, () => OperatorProfile.Take(Device.Cpu, () => { })));

    [Fact]
    public void Operators_whose_result_may_vary_are_named_each_time()
    {
        using var scope = new TensorScope();
        using (var watch = new TorchWatch(WatchKinds.Varying))
        {
            for (var i = 0; i < 2; i++) Put();
            Assert.Equal(2, watch.Notes.Count);
            Assert.All(watch.Notes, note => Assert.Contains("put_", note, StringComparison.Ordinal));
        }
        using var waits = new TorchWatch(WatchKinds.Waits);
        Put();
        Assert.Empty(waits.Notes);

        static void Put() => Operator.Call("aten::put_", Tensor.Zeros([4]), Tensor.From([0L, 0L], 2), Tensor.Ones([2]), false);
    }
}
