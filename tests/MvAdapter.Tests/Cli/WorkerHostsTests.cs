using System.Diagnostics;
using System.Globalization;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Cli;

/// <summary>Workers on two hosts that meet over the network, as a launcher such as torchrun starts them.</summary>
[Collection("Workers")]
[Trait("Category", "Slow")]
public sealed class WorkerHostsTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>, IDisposable
{
    private const int Count = 4;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Four_workers_on_two_hosts_train_as_one_does_over_a_slow_and_lossy_network_as_well(bool disturbed)
    {
        Together.SkipUnlessPossible();
        using var hosts = TwoHosts.Make();
        var config = Config(20);
        if (disturbed) hosts.Disturb(milliseconds: 4, lossPercent: 1);
        CommandLine.Run("train", "--config", config, "--output", folder.File("alone")).Succeeds();
        var results = Array.ConvertAll(Start(hosts, config, "together"), CommandLine.Finish);
        Assert.All(results, result => result.Succeeds());
        Assert.Contains("20 steps", results[0].Output, StringComparison.Ordinal);
        Assert.All(results[1..], result => Assert.Equal(("", ""), (result.Output, result.Error)));
        new StoredTensors(folder.File("alone/adapter.safetensors")).AssertClose(new StoredTensors(folder.File("together/adapter.safetensors")), 1e-5);
    }

    [Fact]
    public void A_network_that_is_cut_in_the_middle_ends_all()
    {
        Together.SkipUnlessPossible();
        using var hosts = TwoHosts.Make();
        var workers = Start(hosts, Config(100_000), "cut");
        try
        {
            var log = folder.File("cut/log.jsonl");
            Assert.True(SpinWait.SpinUntil(() => (File.Exists(log) && new FileInfo(log).Length > 500) || workers[0].HasExited, TimeSpan.FromSeconds(60)));
            hosts.Cut();
            var clock = Stopwatch.StartNew();
            var results = Array.ConvertAll(workers, CommandLine.Finish);
            Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
            Assert.All(results, result => Assert.Equal(1, result.ExitCode));
            // A host of its own has one that speaks: the first, or whoever finds that the first is gone.
            Assert.Matches("error: rank [0-3] .*(no sign of life|cannot be reached|does not answer)", string.Concat(results.Select(result => result.Error)));
            Assert.True(RunCheckpoint.ReadProgress(folder.File("cut/checkpoint.safetensors")).Step > 0);
        }
        finally
        {
            foreach (var worker in workers.Where(IsRunning)) worker.Kill();
        }
    }

    [Fact]
    public void Another_config_and_a_rank_given_twice_are_refused_where_they_meet()
    {
        Together.SkipUnlessPossible();
        using var hosts = TwoHosts.Make();
        var (config, other) = (Config(20), data.WriteConfig(data.Config(clip, 20) with { AdapterLr = 1e-3, ClipLr = 1e-4, Seed = 5 }, "other.yaml"));
        var results = Array.ConvertAll(Start(hosts, config, "refused", rank => rank == 3 ? (other, []) : (config, [])), CommandLine.Finish);
        Assert.All(results, result => result.Fails(2, "rank 3"));
        Assert.Contains("differs from rank 0", results[0].Error, StringComparison.Ordinal);
        Assert.Contains("seed is '5', not '0'", results[0].Error, StringComparison.Ordinal);

        results = Array.ConvertAll(Start(hosts, config, "refused", rank => (config, rank == 3 ? [("RANK", "2")] : [])), CommandLine.Finish);
        Assert.Contains(results, result => result.Error.Contains("two workers have rank 2", StringComparison.Ordinal));
        Assert.All(results, result => Assert.NotEqual(0, result.ExitCode));
        Assert.False(Directory.Exists(folder.File("refused")));
    }

    private string Config(int steps) => data.WriteConfig(data.Config(clip, steps) with { BatchSize = 4, AdapterLr = 1e-3, ClipLr = 1e-4 });

    private Process[] Start(TwoHosts hosts, string config, string output, Func<int, (string Config, (string, string)[] Variables)>? of = null) => [.. Enumerable.Range(0, Count).Select(rank =>
    {
        var (own, variables) = of?.Invoke(rank) ?? (config, []);
        return hosts.Start(rank / 2, ["train", "--config", own, "--output", folder.File(output), "--join-timeout", "20"],
        [
            ("RANK", Text(rank)), ("WORLD_SIZE", Text(Count)), ("LOCAL_RANK", Text(rank % 2)), ("LOCAL_WORLD_SIZE", "2"),
            ("MASTER_ADDR", TwoHosts.First), ("MASTER_PORT", "29517"), .. variables,
        ]);
    })];

    private static bool IsRunning(Process process)
    {
        try
        {
            return !process.HasExited;
        }
        catch (InvalidOperationException)
        {
            return false;   // waited for and disposed
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
