using System.Globalization;
using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>What <c>compare</c> writes, keeps and refuses, with a model and videos of the test's own.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class CompareTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Output => folder.File("out");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Two_methods_and_two_seeds_make_the_table_and_are_not_repeated()
    {
        string[] command = ["--methods", "zero-shot,bitfit,mv-adapter:temporal=off", "--seeds", "0,1"];
        var result = Compare(2, command).Succeeds();
        Assert.Contains("[5/5]", result.Error, StringComparison.Ordinal);
        Assert.Contains("mv-adapter (temporal off)", result.Output, StringComparison.Ordinal);

        using (var json = Table())
        {
            var root = json.RootElement;
            Assert.True(root.GetProperty("finished").GetBoolean());
            var rows = root.GetProperty("rows").EnumerateArray().ToList();
            Assert.Equal([1, 2, 2], rows.Select(row => row.GetProperty("runs").GetArrayLength()));
            Assert.False(rows[2].GetProperty("settings").GetProperty("temporal").GetBoolean());
            foreach (var run in rows.Skip(1).SelectMany(row => row.GetProperty("runs").EnumerateArray()))
            {
                Assert.Equal(2, run.GetProperty("steps").GetInt64());
                Assert.True(run.GetProperty("step_seconds").GetDouble() > 0 && run.GetProperty("encoding_seconds").GetDouble() > 0);
                Assert.True(run.GetProperty("peak_memory_bytes").GetInt64() > 10_000_000);
            }
        }
        Assert.Equal(new FileInfo(Path.Combine(Run("bitfit-seed1"), "adapter.safetensors")).Length, Result("bitfit-seed1").GetProperty("report").GetProperty("storage_bytes").GetInt64());
        Assert.True(Result("bitfit-seed0").GetProperty("curve").GetArrayLength() > 0);

        var latex = File.ReadAllText(Path.Combine(Output, "table.tex"));
        var columns = latex.Split("{l")[1].Split('}')[0].Length + 1;
        var rowsOfLatex = latex.Split('\n').Where(line => line.EndsWith(" \\\\", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, rowsOfLatex.Count);
        Assert.All(rowsOfLatex, line => Assert.Equal(columns, line.Split(" & ").Length));
        Assert.Contains("| zero-shot | 1 |", File.ReadAllText(Path.Combine(Output, "table.md")), StringComparison.Ordinal);
        var page = File.ReadAllText(Path.Combine(Output, "index.html"));
        Assert.DoesNotContain("https:", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.Contains("Accuracy and memory", page, StringComparison.Ordinal);

        // Once more: nothing is trained; without one result, that run alone is measured again, from its checkpoint.
        File.Delete(Path.Combine(Run("bitfit-seed1"), "result.json"));
        var before = Written("bitfit-seed0/result.json", "bitfit-seed1/checkpoint.safetensors");
        result = Compare(2, command).Succeeds();
        Assert.Contains("4 of 5 runs are finished already", result.Error, StringComparison.Ordinal);
        Assert.Contains("[1/1] bitfit, seed 1", result.Error, StringComparison.Ordinal);
        Assert.Equal(before, Written("bitfit-seed0/result.json", "bitfit-seed1/checkpoint.safetensors"));

        Compare(3, command).Fails(2, "differs in steps");
    }

    [Fact]
    public void Killed_it_shows_an_unfinished_table_ends_its_children_and_goes_on()
    {
        var arguments = Arguments(400, "--methods", "zero-shot,bitfit");
        using (var process = CommandLine.Start(arguments))
        {
            var log = Path.Combine(Run("bitfit-seed0"), "log.jsonl");
            Assert.True(SpinWait.SpinUntil(() => (File.Exists(log) && new FileInfo(log).Length > 500) || process.HasExited, TimeSpan.FromSeconds(60)));
            Assert.False(process.HasExited, "it ended before it could be killed");
            process.Kill();
            process.WaitForExit();
            Assert.True(SpinWait.SpinUntil(() => !IsRunning(Output), TimeSpan.FromSeconds(10)), "a run went on without its parent");
        }
        using (var json = Table())
        {
            Assert.False(json.RootElement.GetProperty("finished").GetBoolean());
            Assert.Equal("bitfit", Assert.Single(json.RootElement.GetProperty("missing_runs").EnumerateArray()).GetProperty("row").GetString());
        }
        Assert.Contains("Unfinished: 1 of 2 runs are missing: bitfit, seed 0", File.ReadAllText(Path.Combine(Output, "table.md")), StringComparison.Ordinal);

        var before = Written("zero-shot-seed0/result.json");
        CommandLine.Run(arguments).Succeeds();
        Assert.Equal(before, Written("zero-shot-seed0/result.json"));
        Assert.Contains("resuming", File.ReadAllText(Path.Combine(Run("bitfit-seed0"), "output.log")), StringComparison.Ordinal);
        Assert.Equal(400, Result("bitfit-seed0").GetProperty("report").GetProperty("steps").GetInt64());
    }

    [Fact]
    public void A_run_that_fails_is_in_the_table_and_the_others_go_on()
    {
        var result = Compare(30, "--methods", "bitfit:clip_lr=1e30,linear");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("error: bitfit (clip_lr 1e30), seed 0: step ", result.Error, StringComparison.Ordinal);
        var table = File.ReadAllText(Path.Combine(Output, "table.md"));
        Assert.Contains("| bitfit (clip\\_lr 1e30) | 0 of 1 | – |", table, StringComparison.Ordinal);
        Assert.Contains("Try a smaller learning rate", table, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(Run("linear-seed0"), "result.json")));
    }

    [Fact]
    public void A_limit_of_time_ends_a_run_and_more_time_goes_on_with_it()
    {
        Compare(1_000_000, "--methods", "linear", "--minutes-per-run", "0.005").Succeeds();
        var steps = Result("linear-seed0").GetProperty("report").GetProperty("steps").GetInt64();
        Assert.InRange(steps, 1, 999_999);
        Assert.Contains($"ended by the limit of time after {steps} of 1000000 steps", File.ReadAllText(Path.Combine(Output, "table.md")), StringComparison.Ordinal);
        Compare(1_000_000, "--methods", "linear", "--minutes-per-run", "0.02").Succeeds();
        Assert.True(Result("linear-seed0").GetProperty("report").GetProperty("steps").GetInt64() > steps);
    }

    [Fact]
    public void Every_ablation_takes_a_step_two_at_once()
    {
        Compare(1, "--methods", "mv-adapter", "--ablations", "--jobs", "2", "--threads", "2").Succeeds();
        using var json = Table();
        var rows = json.RootElement.GetProperty("rows").EnumerateArray().ToList();
        Assert.InRange(rows.Count, 11, 15);
        Assert.All(rows, row => Assert.Equal(1, row.GetProperty("runs")[0].GetProperty("steps").GetInt64()));
        Assert.Equal(rows.Count, rows.Select(row => row.GetProperty("name").GetString()).Distinct().Count());
        Assert.Contains("2 runs at once", File.ReadAllText(Path.Combine(Output, "table.md")), StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_videos_are_said_in_the_table()
    {
        var captions = data.Write("missing.csv", "video,caption\nv0.mp4,a dog\nv1.mp4,a cat\ngone.mp4,a man\n");
        var result = CommandLine.Run(Arguments(1, "--captions", captions, "--methods", "zero-shot")).Succeeds(3);
        Assert.Contains("1 of 3 videos missing: gone.mp4", result.Error, StringComparison.Ordinal);
        Assert.Contains("1 of 3 videos missing: gone.mp4", File.ReadAllText(Path.Combine(Output, "table.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("did you mean mv-adapter?", "--methods", "mvadapter")]
    [InlineData("empty place", "--methods", "")]
    [InlineData("bitfit has no setting 'temporal'", "--methods", "bitfit:temporal=off")]
    [InlineData("lora has no setting 'rnak': did you mean rank?", "--methods", "lora:rnak=4")]
    [InlineData("heads", "--methods", "mv-adapter:bottleneck=7")]
    [InlineData("the rows 'bitfit' and 'bitfit' are the same", "--methods", "bitfit,bitfit")]
    [InlineData("are the same", "--methods", "lora,lora:rank=8")]
    [InlineData("--set sets mv-adapter's settings, which is not compared", "--methods", "lora", "--set", "bottleneck=16")]
    [InlineData("--seeds names 1 twice", "--seeds", "1,1")]
    [InlineData("--seeds takes whole numbers", "--seeds", "1,-2")]
    [InlineData("--minutes-per-run takes minutes above 0", "--minutes-per-run", "0")]
    [InlineData("--minutes-per-run takes minutes above 0", "--minutes-per-run", "nan")]
    [InlineData("--jobs takes a number", "--jobs", "many")]
    [InlineData("--jobs takes a number", "--jobs", "0")]
    [InlineData("--threads 0", "--threads", "0")]
    [InlineData("steps must not be negative", "--steps", "-1")]
    [InlineData("unknown option '--method'; did you mean --methods?", "--method", "full")]
    public void A_mistake_is_one_line_and_leaves_nothing(string reason, params string[] options)
    {
        CommandLine.Run(Arguments(2, options)).Fails(2, reason);
        Assert.False(Directory.Exists(Output));
    }

    [Fact]
    public void The_demo_makes_a_page_and_is_shown_at_once_when_it_is_finished()
    {
        string[] command = ["demo", "--videos", "40", "--test-pairs", "3", "--steps", "2", "--threads", "2", "--output", Output];
        CommandLine.Run(command).Succeeds();
        var before = Written("full-seed0/checkpoint.safetensors", "mv-adapter-seed0/checkpoint.safetensors");
        var result = CommandLine.Run(command).Succeeds();
        Assert.Equal(before, Written("full-seed0/checkpoint.safetensors", "mv-adapter-seed0/checkpoint.safetensors"));
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Output, "results.json")));
        Assert.Equal(["zero-shot", "full", "mv-adapter"], json.RootElement.EnumerateArray().Select(report => report.GetProperty("method").GetString()));
        Assert.All(json.RootElement.EnumerateArray().Take(2), report => Assert.Equal(50, report.GetProperty("order_accuracy").GetDouble()));
        Assert.Contains("Order %", result.Output, StringComparison.Ordinal);
        var page = File.ReadAllText(Path.Combine(Output, "report.html"));
        Assert.Contains("Learning curves", page, StringComparison.Ordinal);
        Assert.Contains("What mv-adapter finds", page, StringComparison.Ordinal);
        Assert.Contains("data:image/png;base64,", page, StringComparison.Ordinal);
    }

    private string Run(string name) => Path.Combine(Output, "runs", name);

    private JsonElement Result(string run)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(Run(run), "result.json")));
        return json.RootElement.Clone();
    }

    private JsonDocument Table() => JsonDocument.Parse(File.ReadAllText(Path.Combine(Output, "table.json")));

    private List<DateTime> Written(params string[] files) => [.. files.Select(file => File.GetLastWriteTimeUtc(Run(file)))];

    private CommandResult Compare(int steps, params string[] options) => CommandLine.Run(Arguments(steps, options));

    private string[] Arguments(int steps, params string[] options)
    {
        // The whole vocabulary of settings is for the rows to say.
        var config = data.WriteConfig(data.Config(clip, steps) with { Settings = "" }, string.Create(CultureInfo.InvariantCulture, $"run{steps}.yaml"));
        return ["compare", "--config", config, .. options.Contains("--threads") ? [] : new[] { "--threads", "1" }, .. options, "--output", Output];
    }

    private static bool IsRunning(string argument) => Directory.EnumerateDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _)).Any(path =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(path, "cmdline")).Contains(argument, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    });
}
