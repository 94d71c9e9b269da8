using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Cli;

/// <summary><c>--workers</c> from outside: processes that train together, and what ends them.</summary>
[Collection("Workers")]
[Trait("Category", "Slow")]
public sealed partial class WorkerCommandTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>, IDisposable
{
    private const int Endless = 100_000;
    private static readonly TimeSpan MostTillTheEnd = TimeSpan.FromSeconds(30);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Two_workers_train_as_one_does_and_the_first_speaks()
    {
        Together.SkipUnlessPossible();
        var config = Config(20);
        var alone = CommandLine.Run("train", "--config", config, "--output", folder.File("alone")).Succeeds();
        var together = CommandLine.Run("train", "--config", config, "--output", folder.File("together"), "--workers", "2").Succeeds();
        Assert.Equal(alone.Output.Split('\n').Length, together.Output.Split('\n').Length);
        Assert.Single(together.Error.Split('\n'), line => line.Contains("videos, 8 pairs to train on", StringComparison.Ordinal));
        new StoredTensors(folder.File("alone/adapter.safetensors")).AssertClose(new StoredTensors(folder.File("together/adapter.safetensors")), 1e-5);

        var evaluated = new[] { "1", "2" }.Select(count => CommandLine.Run("eval", "--clip", clip.Checkpoint, "--adapter", folder.File("together/adapter.safetensors"),
            "--captions", data.Captions, "--json", "--workers", count).Succeeds().Output).Select(json => Peak().Replace(json, "")).ToList();
        Assert.Equal(evaluated[0], evaluated[1]);
    }

    [Fact]
    public void Frames_are_decoded_by_all_and_kept_as_by_one()
    {
        Together.SkipUnlessPossible();
        File.WriteAllText(data.File("broken.mp4"), "no video");
        var captions = data.Write("broken.csv", File.ReadAllText(data.Captions) + "broken.mp4,a broken thing,train\n");
        var results = new[] { "1", "3" }.Select(count => CommandLine.Run("prepare", "--dataset", "captions", "--annotations", captions, "--image-size", "32", "--frames", "3", "--fps", "4",
            "--cache", folder.File("cache" + count), "--workers", count).Succeeds(3)).ToList();
        Assert.Equal(results[0].Output.Replace("cache1", "cache3", StringComparison.Ordinal), results[1].Output);
        Assert.Single(results[1].Error.Split('\n'), line => line.Contains("broken.mp4", StringComparison.Ordinal));
        foreach (var file in Directory.EnumerateFiles(folder.File("cache1")).Select(Path.GetFileName))
            Assert.Equal(File.ReadAllBytes(folder.File($"cache1/{file}")), File.ReadAllBytes(folder.File($"cache3/{file}")));
    }

    [Fact]
    public void The_batch_of_each_worker_makes_that_of_all()
    {
        Together.SkipUnlessPossible();
        var config = Config(2);
        CommandLine.Run("train", "--config", config, "--output", folder.File("per"), "--workers", "2", "--per-worker-batch", "3").Succeeds();
        Assert.Equal(6, RunConfigFile.Read(folder.File("per/config.yaml")).BatchSize);
        CommandLine.Run("train", "--config", config, "--output", folder.File("both"), "--batch-size", "4", "--per-worker-batch", "3").Fails(2, "not both");
    }

    [Fact]
    public void A_comparison_trains_each_run_by_workers()
    {
        Together.SkipUnlessPossible();
        var result = CommandLine.Run("compare", "--config", Config(3), "--methods", "zero-shot,mv-adapter", "--workers", "2", "--output", folder.File("table")).Succeeds();
        Assert.Contains("mv-adapter", result.Output, StringComparison.Ordinal);
        Assert.Contains("2 workers of", File.ReadAllText(folder.File("table/table.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "KILL", "rank 0 .* was ended by signal 9")]
    [InlineData(1, "KILL", "rank 1 .* was ended by signal 9")]
    [InlineData(2, "STOP", "rank 2 .* has given no sign of life for 12 s")]
    [InlineData(1, "TERM", "rank 1 .* was told to end")]
    public void A_worker_that_is_lost_ends_all_with_one_line_and_a_whole_checkpoint(int rank, string signal, string reason)
    {
        using var run = Start();
        run.Signal(run.Workers[rank], signal);
        var (code, errors) = run.End();
        Assert.Equal(1, code);
        Assert.Matches($"^error: {reason}", Assert.Single(errors));
        // The first has kept the step reached, unless it was the one.
        if (rank != 0) Assert.InRange(Progress("endless").Step, 3, Endless);
        Assert.Empty(run.Left());
    }

    [Fact]
    public void Told_to_end_they_write_a_checkpoint_and_another_number_goes_on_from_it()
    {
        using (var run = Start())
        {
            run.Signal(run.Launcher.Id, "TERM");
            var (_, errors) = run.End();
            Assert.Empty(errors);
            // It goes as soon as it is told, and they a moment later.
            Assert.True(SpinWait.SpinUntil(() => run.Left().Count == 0, MostTillTheEnd), "workers are left");
        }
        var before = Progress("endless").Step;
        Assert.InRange(before, 3, Endless);
        using var again = Start(workers: "2");
        again.Signal(again.Launcher.Id, "INT");
        again.End();
        Assert.True(Progress("endless").Step > before);
    }

    [Fact]
    public void With_their_launcher_they_go()
    {
        using var run = Start();
        run.Signal(run.Launcher.Id, "KILL");
        run.Launcher.WaitForExit();
        Assert.True(SpinWait.SpinUntil(() => run.Left().Count == 0, MostTillTheEnd), "workers are left");
        Assert.InRange(Progress("endless").Step, 3, Endless);
    }

    [Theory]
    [InlineData("WORLD_SIZE is set without RANK", "WORLD_SIZE=2")]
    [InlineData("without MASTER_ADDR", "WORLD_SIZE=2", "RANK=0")]
    [InlineData("MASTER_ADDR=127.0.0.1", "WORLD_SIZE=2", "RANK=1", "MASTER_ADDR=127.0.0.1", "MASTER_PORT=9")]
    public void Variables_that_lead_nowhere_are_one_line(string reason, params string[] variables)
    {
        Together.SkipUnlessPossible();
        var environment = variables.Select(variable => (variable.Split('=')[0], variable.Split('=')[1])).ToArray();
        var result = CommandLine.RunWith(environment, "train", "--config", Config(2), "--output", folder.File("nowhere"), "--join-timeout", "3");
        result.Fails(result.ExitCode, variables.Length == 4 ? "rank 1 cannot reach the first worker at 127.0.0.1:9 (3 s)" : reason);
        Assert.InRange(result.ExitCode, 1, 2);
        Assert.False(Directory.Exists(folder.File("nowhere")));
    }

    [Theory]
    [InlineData("batch_size 4 cannot be divided among 3 workers: use 3 or 6", "3")]
    [InlineData("batch_size 4 has fewer rows than there are workers (5)", "5")]
    [InlineData("--workers 0: give a number", "0")]
    public void Workers_that_do_not_fit_are_one_line(string reason, string count)
    {
        Together.SkipUnlessPossible();
        CommandLine.Run("train", "--config", Config(2), "--output", folder.File("refused"), "--workers", count).Fails(2, reason);
    }

    private string Config(int steps) => data.WriteConfig(data.Config(clip, steps) with { AdapterLr = 1e-3, ClipLr = 1e-4 });

    private RunningWorkers Start(string workers = "3")
    {
        Together.SkipUnlessPossible();
        var config = data.WriteConfig(data.Config(clip, Endless) with { BatchSize = 6, AdapterLr = 1e-4 });
        var run = new RunningWorkers(CommandLine.Start(["train", "--config", config, "--output", folder.File("endless"), "--workers", workers]), folder.File("endless"));
        run.WaitForSteps(3);
        return run;
    }

    private RunProgress Progress(string name) => RunCheckpoint.ReadProgress(folder.File(name + "/checkpoint.safetensors"));

    [GeneratedRegex("\"(peak_memory_bytes|encoding_seconds)\": [0-9.]+,?")]
    private static partial Regex Peak();
}

/// <summary>A launcher with its workers.</summary>
internal sealed class RunningWorkers(Process launcher, string output) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly Task<string> errors = launcher.StandardError.ReadToEndAsync();
    private readonly Stopwatch sinceSignal = new();
    private long before;

    public Process Launcher => launcher;

    /// <summary>The workers' processes, in the order of ranks.</summary>
    public IReadOnlyList<int> Workers { get; private set; } = [];

    /// <summary>Waits until so many more steps are in the log.</summary>
    public void WaitForSteps(int count)
    {
        var log = Path.Combine(output, "log.jsonl");
        before = Steps();
        Assert.True(SpinWait.SpinUntil(() => Steps() >= before + count || launcher.HasExited, Limit), "no step is taken");
        Assert.False(launcher.HasExited, launcher.HasExited ? errors.Result : "");
        Workers = Children();

        long Steps() => File.Exists(log) ? ReadShared(log).Count(c => c == '\n') : 0;
    }

    public void Signal(int process, string signal)
    {
        sinceSignal.Restart();
        Process.Start("kill", ["-s", signal, process.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
    }

    /// <summary>The launcher's exit code and lines of error, at the latest half a minute after the signal.</summary>
    public (int Code, IReadOnlyList<string> Errors) End()
    {
        Assert.True(launcher.WaitForExit(Limit), "the launcher goes on");
        Assert.InRange(sinceSignal.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(30));
        return (launcher.ExitCode, [.. errors.GetAwaiter().GetResult().Split('\n').Where(line => line.StartsWith("error", StringComparison.Ordinal))]);
    }

    /// <summary>The workers that still run.</summary>
    public IReadOnlyList<int> Left() => [.. Workers.Where(worker => File.Exists($"/proc/{worker}/stat") && !File.ReadAllText($"/proc/{worker}/stat").Contains(") Z ", StringComparison.Ordinal))];

    public void Dispose()
    {
        if (!launcher.HasExited) launcher.Kill(entireProcessTree: true);
        launcher.WaitForExit();
        launcher.Dispose();
        foreach (var worker in Left()) Process.Start("kill", ["-9", worker.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
    }

    private List<int> Children() => [.. File.ReadAllText($"/proc/{launcher.Id}/task/{launcher.Id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Concat(Directory.EnumerateDirectories($"/proc/{launcher.Id}/task").SelectMany(task => File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        .Select(text => int.Parse(text, CultureInfo.InvariantCulture)).Distinct().Order()];

    private static string ReadShared(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }
}
