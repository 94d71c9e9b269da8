using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Cli;

/// <summary>What <c>train</c> says, writes and refuses, with a model and videos of the test's own.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class TrainTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Killed_at_any_moment_it_goes_on_to_the_very_weights_of_an_undisturbed_run()
    {
        var config = data.WriteConfig(data.Config(clip, 100) with { EvaluateEvery = 40 });
        Train(config, "whole").Succeeds();

        var random = new Random(1);
        var checkpoint = new FileInfo(folder.File("parts/checkpoint.safetensors"));
        for (var kill = 0; kill < 10; kill++)
        {
            checkpoint.Refresh();
            var before = checkpoint.Exists ? checkpoint.LastWriteTimeUtc : default;
            using var process = CommandLine.Start(Arguments(config, "parts"));
            // Two while it starts, the others soon after it has got on: between steps, while it writes, while it evaluates.
            if (kill is 3 or 6) Thread.Sleep(random.Next(100, 900));
            else
            {
                Assert.True(SpinWait.SpinUntil(() => Changed(checkpoint, before) || process.HasExited, TimeSpan.FromSeconds(60)));
                Thread.Sleep(random.Next(0, 150));
            }
            Assert.False(process.HasExited, "it ended before it could be killed");
            process.Kill();
            process.WaitForExit();
        }
        Train(config, "parts").Succeeds();

        Assert.Equal(File.ReadAllBytes(Adapter("whole")), File.ReadAllBytes(Adapter("parts")));
        Assert.Equal(File.ReadAllBytes(folder.File("whole/best.safetensors")), File.ReadAllBytes(folder.File("parts/best.safetensors")));
        var (whole, parts) = (Checkpoint("whole"), Checkpoint("parts"));
        Assert.Equal(whole.Keys.Order(StringComparer.Ordinal), parts.Keys.Order(StringComparer.Ordinal));
        Assert.All(whole, tensor => Assert.Equal(tensor.Value.Data.ToArray(), parts[tensor.Key].Data.ToArray()));
        Assert.Equal(Entries("whole"), Entries("parts"));
        Assert.Equal(
            EventFileReader.ReadFolder(folder.File("whole")).Where(IsLoss).Select(scalar => (scalar.Step, scalar.Value)),
            EventFileReader.ReadFolder(folder.File("parts")).Where(IsLoss).Select(scalar => (scalar.Step, scalar.Value)));
        Assert.Empty(Directory.EnumerateFiles(folder.File("parts"), ".*"));

        static bool IsLoss(ScalarEvent scalar) => scalar.Tag == "train/loss";

        static bool Changed(FileInfo file, DateTime since)
        {
            file.Refresh();
            return file.Exists && file.LastWriteTimeUtc != since;
        }
    }

    [Fact]
    public void An_adapter_file_as_output_is_what_json_says_and_carries_its_run()
    {
        var output = folder.File("adapter.safetensors");
        var result = CommandLine.Run("train", "--config", data.WriteConfig(data.Config(clip, 3)), "--output", output, "--json", "--seed", "5", "--threads", "1").Succeeds();
        using var json = JsonDocument.Parse(result.Output);
        var root = json.RootElement;
        Assert.Equal(output, root.GetProperty("adapter").GetString());
        Assert.Equal(3, root.GetProperty("steps").GetInt32());
        Assert.InRange(root.GetProperty("loss").GetDouble(), 0.01, 10);
        Assert.True(root.GetProperty("train_seconds").GetDouble() > 0 && root.GetProperty("peak_memory_bytes").GetInt64() > 1_000_000);
        Assert.Equal(File.ReadAllBytes(folder.File("adapter.safetensors.run/adapter.safetensors")), File.ReadAllBytes(output));
        Assert.Equal(5, RunConfigFile.TryReadFrom(output)!.Seed);
        // The config is said at the start, whole.
        Assert.All(RunConfigFile.Fields, field => Assert.Contains(field + ": ", result.Error, StringComparison.Ordinal));
    }

    [Fact]
    public void Flags_stand_over_the_file_and_the_file_over_the_preset()
    {
        var result = CommandLine.Run("train", "--preset", "msrvtt", "--captions", data.Captions, "--clip", clip.Checkpoint, "--config",
            data.Write("partial.yaml", "frames: 2\nwords: 16\nepochs: 3\n"), "--epochs", "2", "--method", "bitfit", "--batch-size", "4", "--evaluate-every", "-1", "--output", folder.File("run")).Succeeds();
        Assert.Contains("frames: 2", result.Error, StringComparison.Ordinal);
        var config = RunConfigFile.Read(folder.File("run/config.yaml"));
        Assert.Equal(("captions", 2, 16, 2, "bitfit", ""), (config.Dataset, config.Frames, config.Words, config.Epochs, config.Method, config.Settings));
        Assert.Contains("4 steps", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_has_an_option_for_every_field()
    {
        var help = CommandLine.Run("train", "--help").Succeeds().Output;
        foreach (var field in RunConfigFile.Fields)
        {
            var option = field == "settings" ? "--set" : "--" + field.Replace('_', '-');
            Assert.Matches($@"(?m)^\s+(-\S+, )*{option}\b.*\s{{2,}}\S", help);
        }
        Assert.Contains("--checkpoint-seconds", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("csv", "a,b\n1,2\n", "line 1")]
    [InlineData("csv", "video,caption\nv0.mp4,\"open\nv1.mp4,x\n", "line 2")]
    [InlineData("csv", "video,caption\nv0.mp4,a dog\nv1.mp4,\n", "line 3, field caption: empty")]
    [InlineData("csv", "video,caption,start\nv0.mp4,a dog,soon\n", "line 2")]
    [InlineData("csv", "video,caption\nabsent.mp4,a dog\ngone.mp4,a cat\n", "no video of captions (train) found; 2 of 2 videos missing: absent.mp4, gone.mp4")]
    [InlineData("csv", "video,caption\n", "has no sample")]
    [InlineData("csv", "", "")]
    [InlineData("jsonl", "{\"video\": \"v0.mp4\", \"caption\": \"a\"}\n{\"video\": \n", "line 2")]
    [InlineData("jsonl", "[1]\n", "line 1")]
    [InlineData("jsonl", "{\"video\": \"v0.mp4\"}\n", "line 1")]
    [InlineData("jsonl", "{\"video\": \"v0.mp4\", \"caption\": \"a\", \"split\": \"tset\"}\n", "line 1, field split: 'tset'")]
    [InlineData("txt", "v0.mp4 a dog\n", "is neither .jsonl, .csv nor .tsv")]
    public void A_malformed_caption_file_is_one_line(string extension, string content, string reason)
    {
        var captions = data.Write($"malformed.{extension}", content);
        var result = Run("--captions", captions).Fails(1, reason);
        Assert.Contains(captions.Length > 0 && reason.StartsWith("no video", StringComparison.Ordinal) ? Path.GetDirectoryName(captions)! : captions, result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("steps: 5\nadapter_lrr: 1\n", "line 2, field adapter_lrr: there is no field 'adapter_lrr'; did you mean adapter_lr?")]
    [InlineData("steps: soon\n", "line 1, field steps")]
    [InlineData("steps: [\n", "no YAML")]
    public void A_malformed_config_is_one_line(string yaml, string reason) =>
        CommandLine.Run("train", "--config", data.Write("malformed.yaml", yaml), "--output", folder.File("run")).Fails(1, "malformed.yaml: " + (reason == "no YAML" ? "" : reason));

    [Theory]
    [InlineData(2, "did you mean mv-adapter?", "--method", "mvadapter")]
    [InlineData(2, "did you mean msrvtt", "--preset", "msrvt")]
    [InlineData(2, "did you mean captions?", "--dataset", "caption")]
    [InlineData(2, "did you mean bottleneck?", "--set", "botleneck=4")]
    [InlineData(2, "--set takes KEY=VALUE", "--set", "bottleneck")]
    [InlineData(2, "settings of mv-adapter", "--set", "bottleneck=nan")]
    [InlineData(2, "batch_size 400 exceeds the 8 different videos", "--batch-size", "400")]
    [InlineData(2, "at least 2", "--batch-size", "1")]
    [InlineData(2, "steps takes a whole number", "--steps", "1.5")]
    [InlineData(2, "fp32 or bf16", "--precision", "int8")]
    [InlineData(2, "trains nothing", "--method", "zero-shot")]
    [InlineData(2, "--checkpoint-seconds must be", "--checkpoint-seconds", "nan")]
    [InlineData(1, "there is no such file", "--clip", "absent.pt")]
    [InlineData(1, "there is no such file", "--config", "absent.yaml")]
    [InlineData(1, "cache", "--cache", "absent")]
    public void What_does_not_fit_is_one_line(int code, string reason, params string[] options)
    {
        // What it trains on is known before the settings meet the model.
        var result = Run(options);
        (result with { Error = string.Join('\n', result.Error.Split('\n').Where(line => !line.StartsWith("captions: ", StringComparison.Ordinal))) }).Fails(code, reason);
        Assert.False(File.Exists(folder.File("run/checkpoint.safetensors")));
    }

    [Fact]
    public void An_empty_output_is_refused() =>
        CommandLine.Run("train", "--config", data.WriteConfig(data.Config(clip, 2)), "--output", "").Fails(2, "--output is empty");

    [Fact]
    public void Missing_videos_are_counted_and_named_and_strict_refuses_them()
    {
        var captions = data.Write("missing.csv", "video,caption\nv0.mp4,a dog\nv1.mp4,a cat\ngone.mp4,a man\n");
        var result = Run("--captions", captions, "--steps", "1", "--batch-size", "2").Succeeds();
        Assert.Contains("1 of 3 videos missing: gone.mp4", result.Error, StringComparison.Ordinal);
        result = Run("--captions", captions, "--steps", "1", "--batch-size", "2", "--strict");
        Assert.Contains("error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("gone.mp4", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public void A_diverging_run_says_so_in_one_line()
    {
        var result = Run("--lr", "1e30", "--steps", "30");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Try a smaller learning rate", Assert.Single(result.Error.Split('\n'), line => line.StartsWith("error: step ", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_disk_is_one_line_and_the_last_checkpoint_survives()
    {
        // Larger than all checkpoints and logs of some steps, smaller than what is to come.
        using var disk = SmallDisk.Mount(folder.File("disk"), megabytes: 8);
        var config = data.WriteConfig(data.Config(clip, 400) with { EvaluateEvery = -1 });
        var output = Path.Combine(disk.Path, "run");
        using var process = CommandLine.Start(["train", "--config", config, "--output", output, "--checkpoint-seconds", "0", "--threads", "1"]);
        Assert.True(SpinWait.SpinUntil(() => Lines(Path.Combine(output, "log.jsonl")) > 5 || process.HasExited, TimeSpan.FromSeconds(60)));
        disk.Fill();
        var result = CommandLine.Finish(process);
        Assert.Equal(1, result.ExitCode);
        var error = Assert.Single(result.Error.TrimEnd('\n').Split('\n'), line => line.StartsWith("error: ", StringComparison.Ordinal));
        Assert.Contains("cannot be written", error, StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected", error, StringComparison.Ordinal);
        Assert.NotEmpty(Safetensors.Read(Path.Combine(output, "checkpoint.safetensors")).Tensors);
        Assert.Empty(Directory.EnumerateFiles(output, ".*"));
        disk.Free();
        using var trainer = new Trainer(RunConfigFile.Read(config), new TrainerOptions { Output = output });
        Assert.InRange(trainer.Progress.Step, 1, 399);
    }

    private static int Lines(string path) => File.Exists(path) ? File.ReadAllBytes(path).Count(value => value == '\n') : 0;

    private string Adapter(string run) => folder.File($"{run}/adapter.safetensors");

    private IReadOnlyDictionary<string, StoredTensor> Checkpoint(string run) => Safetensors.Read(folder.File($"{run}/checkpoint.safetensors")).Tensors;

    private IEnumerable<(long, double?, double?)> Entries(string run) =>
        JsonLines.Read<TrainingLogEntry>(folder.File($"{run}/log.jsonl")).Select(entry => (entry.Step, entry.Loss, entry.TextToVideoR1));

    private string[] Arguments(string config, string run) => ["train", "--config", config, "--output", folder.File(run), "--checkpoint-seconds", "0.05", "--threads", "1"];

    private CommandResult Train(string config, string run) => CommandLine.Run(Arguments(config, run));

    private CommandResult Run(params string[] options)
    {
        var config = data.WriteConfig(data.Config(clip, 2));
        return CommandLine.Run(["train", .. options.Contains("--config") ? [] : new[] { "--config", config }, .. options, "--output", folder.File("run"), "--threads", "1"]);
    }
}
