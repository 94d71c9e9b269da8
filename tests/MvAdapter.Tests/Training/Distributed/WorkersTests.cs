using System.Diagnostics;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>The meeting of workers and the watch over them, as threads of this process.</summary>
[Collection(Alone.Name)]
public sealed class WorkersTests
{
    private static readonly WorkersOptions Quick = new() { JoinTimeout = TimeSpan.FromSeconds(2), Silence = TimeSpan.FromSeconds(2), Timeout = TimeSpan.FromSeconds(20) };

    [Fact]
    public void They_meet_divide_a_list_and_gather_it_in_its_order()
    {
        var list = Enumerable.Range(0, 11).ToArray();
        var parts = Together.Run(4, workers => (Own: workers.Part(list), All: workers.Gather<int>(workers.Part(list).ToArray()), Texts: workers.Gather($"worker {workers.Rank}"), workers.IsFirst));
        Assert.Equal([2, 3, 3, 3], parts.Select(part => part.Own.Count));
        Assert.All(parts, part => Assert.Equal(list, part.All.SelectMany(numbers => numbers)));
        Assert.All(parts, part => Assert.Equal(["worker 0", "worker 1", "worker 2", "worker 3"], part.Texts));
        Assert.Equal([true, false, false, false], parts.Select(part => part.IsFirst));
    }

    [Theory]
    [InlineData("version", "other")]
    [InlineData("batch_size", "16")]
    public void A_worker_that_was_given_something_else_is_named_with_it(string key, string value)
    {
        var messages = Together.Apart(3, environment => Assert.Throws<UsageException>(() => Join(environment, new() { ["batch_size"] = "8", [environment.Rank == 2 ? key : "seed"] = environment.Rank == 2 ? value : "0" })).Message);
        Assert.All(messages, message =>
        {
            Assert.Contains("rank 2", message, StringComparison.Ordinal);
            Assert.Contains(key == "version" ? "differs" : "batch_size is '16', not '8'", message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void Two_workers_of_one_rank_are_refused_and_the_others_with_them()
    {
        var messages = Together.Apart(3, environment => Assert.Throws<UsageException>(() => Join(environment with { Rank = environment.Rank == 2 ? 1 : environment.Rank })).Message);
        Assert.All(messages, message => Assert.Contains("two workers have rank 1", message, StringComparison.Ordinal));
    }

    [Fact]
    public void One_that_does_not_come_is_named() => Together.Apart(2, environment =>
    {
        if (environment.Rank == 0) Assert.Contains("rank 1 has not come within 2 s", Assert.ThrowsAny<MvAdapterException>(() => Join(environment)).Message, StringComparison.Ordinal);
        return true;
    });

    [Fact]
    public void Who_fails_says_why_and_all_end_by_it()
    {
        var clock = Stopwatch.StartNew();
        var messages = Together.Run(3, workers =>
        {
            if (workers.Rank == 1)
            {
                workers.Fail("the disk is full");
                return "";
            }
            return Assert.Throws<WorkerException>(() => workers.Gather(1.0)).Message;
        }, Quick);
        Assert.All([messages[0], messages[2]], message =>
        {
            Assert.StartsWith("rank 1 (", message, StringComparison.Ordinal);
            Assert.EndsWith("the disk is full", message, StringComparison.Ordinal);
        });
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void One_that_gives_no_sign_of_life_is_noticed_by_its_neighbour()
    {
        using var gone = new CountdownEvent(1);
        var messages = Together.Apart(2, environment =>
        {
            if (environment.Rank == 1)
            {
                // It meets the others by hand and then says nothing more.
                using var store = RendezvousStore.OpenFile(environment.File!);
                var names = new Rendezvous(environment, store, Quick.JoinTimeout).Meet(new Dictionary<string, string> { [Rendezvous.HostKey] = "there", [Rendezvous.VersionKey] = "1" });
                gone.Wait();
                return names[1];
            }
            using var first = RendezvousStore.OpenFile(environment.File!);
            var met = new Rendezvous(environment, first, Quick.JoinTimeout).Meet(new Dictionary<string, string> { [Rendezvous.HostKey] = "here", [Rendezvous.VersionKey] = "1" });
            using var watch = new WorkerWatch(environment, () => RendezvousStore.OpenFile(environment.File!), met, Quick);
            var reason = watch.Explain(new TorchException("closed")).Message;
            gone.Signal();
            return reason;
        });
        Assert.Equal("rank 1 (there)", messages[1]);
        Assert.StartsWith("rank 1 (there) has given no sign of life for 2 s", messages[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_slow_one_is_named_once_in_a_while()
    {
        var said = Together.Run(2, workers =>
        {
            var lines = new List<string>();
            var pace = new WorkerPace(workers, lines.Add);
            for (var step = 0; step < 60; step++) Assert.Equal(1, pace.Step(workers.Rank == 1 ? 1.0 : 0.5));
            return lines;
        });
        Assert.Matches(@"^rank 1 \(.*\) is slow: .* s of its own a step, the others .* s, and all wait for it$", Assert.Single(said[0]));
    }

    private static Workers Join(WorkerEnvironment environment, Dictionary<string, string>? agreement = null) =>
        Workers.Join(environment, Device.Cpu, agreement ?? [], Quick);
}
