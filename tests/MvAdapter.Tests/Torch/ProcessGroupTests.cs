using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>Groups of workers and the store in which they meet, as threads of this process.</summary>
[Collection(Alone.Name)]
public sealed class ProcessGroupTests : IDisposable
{
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(2);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void A_sum_a_list_and_the_firsts_tensor_are_everywhere_the_same(int count)
    {
        var results = Open(count, group =>
        {
            using var scope = new TensorScope();
            var (sum, first) = (Tensor.From([1f, group.Rank], 2), Tensor.From([10f + group.Rank], 1));
            group.AllReduce(sum);
            group.Broadcast(first);
            var all = group.AllGather(Tensor.From([(long)group.Rank], 1)).Select(part => part.ToArray<long>()[0]);
            return (sum.ToFloats(), first.ToFloats(), all.ToArray());
        });
        Assert.All(results, result =>
        {
            Assert.Equal([count, count * (count - 1) / 2f], result.Item1);
            Assert.Equal([10f], result.Item2);
            Assert.Equal(Enumerable.Range(0, count).Select(rank => (long)rank), result.Item3);
        });
    }

    [Fact]
    public void Bytes_of_any_length_are_gathered_none_as_well()
    {
        byte[] Bytes(int rank) => [.. Enumerable.Range(0, rank * 1000).Select(i => (byte)(i + rank))];
        Assert.All(Open(3, group => group.AllGather(Bytes(group.Rank))), all => Assert.Equal([Bytes(0), Bytes(1), Bytes(2)], all));
        Assert.All(Open(2, group => group.AllGather([])), all => Assert.Equal([[], []], all));
    }

    [Fact]
    public void Who_waits_in_vain_is_told_so()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var errors = Open(2, group =>
        {
            group.Barrier();   // both are there: who leaves before the other has come fails the opening
            return group.Rank == 0 ? Record.Exception(group.Barrier) : null;
        });
        Assert.IsType<TorchException>(errors[0]);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void A_store_keeps_texts_and_counts_and_says_what_is_not_there()
    {
        Together.SkipUnlessPossible();
        using var one = RendezvousStore.OpenFile(folder.File("store"));
        using var other = RendezvousStore.OpenFile(folder.File("store"));
        Assert.Null(other.TryGet("a"));
        one.Set("a", "ä\n");
        one.Set("empty", "");
        Assert.Equal("ä\n", other.TryGet("a"));
        Assert.Equal("", other.TryGet("empty"));
        Assert.Equal((2, 5), (one.Add("n", 2), other.Add("n", 3)));
        Assert.Equal("ä\n", other.Wait("a", Short));
        Assert.Throws<TorchException>(() => other.Wait("never", TimeSpan.FromMilliseconds(200)));
        one.Dispose();
        Assert.Throws<ObjectDisposedException>(() => one.Set("a", "b"));
    }

    [Fact]
    public void Gradients_are_summed_in_buckets_as_they_come_and_those_of_many_passes_too()
    {
        // 3 MB a parameter: more than one bucket. The last has no gradient, the second comes twice.
        const int elements = 750_000;
        var sums = Open(2, group =>
        {
            using var scope = new TensorScope();
            var parameters = Enumerable.Range(0, 4).Select(i => Tensor.Full([elements], i + 1)).ToArray();
            foreach (var parameter in parameters) parameter.RequiresGrad = true;
            using var reducer = new GradientReducer(group, parameters);
            var steps = new List<float?[]>();
            for (var step = 0; step < 4; step++)
            {
                if (step == 2) Loss(1).Backward();   // gathered before, as accumulation does
                reducer.Arm();
                Loss(group.Rank + 1).Backward();
                reducer.Finish();
                steps.Add([.. parameters.Select(parameter => parameter.Grad?.Narrow(0, elements - 1, 1).ToFloats()[0])]);
                foreach (var parameter in parameters) parameter.Grad = null;
            }
            Assert.Equal(4L * 4 * elements, reducer.Bytes);
            return steps;

            Tensor Loss(double factor) => (parameters[0] * parameters[1] + parameters[2] + GradientCheckpoint.Run(parameters[1], x => x * 2)).Sum() * factor;
        });
        Assert.All(sums, steps =>
        {
            float?[] once = [2 * 3, (1 + 2) * 3, 3, null];
            Assert.Equal(once, steps[0]);
            Assert.Equal(once, steps[1]);
            Assert.Equal([2 * 5, (1 + 2) * 5, 5, null], steps[2]);
            Assert.Equal(once, steps[3]);
        });
    }

    [Fact]
    public void What_cannot_be_summed_is_refused() => Open(1, group =>
    {
        using var scope = new TensorScope();
        Assert.Contains("float32 leaf", Assert.Throws<TorchException>(() => new GradientReducer(group, [Tensor.Zeros([2])])).Message, StringComparison.Ordinal);
        return true;
    });

    private static T[] Open<T>(int count, Func<ProcessGroup, T> work) => Together.Apart(count, environment =>
    {
        using var store = RendezvousStore.OpenFile(environment.File!);
        using var group = ProcessGroup.Open(store, "test", environment.Rank, count, Device.Cpu, "127.0.0.1", Short);
        return work(group);
    });
}
