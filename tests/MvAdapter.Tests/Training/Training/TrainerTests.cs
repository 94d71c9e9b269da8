using MvAdapter.Checkpoints;
using MvAdapter.Datasets;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>Runs in this process. Alone, because dropout draws from the process's generator.</summary>
[Collection(Alone.Name)]
[Trait("Category", "Slow")]
public sealed class TrainerTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_same_seed_gives_the_same_weights_and_another_does_not()
    {
        var config = data.Config(clip, 6);
        var weights = Train(config, "a").Weights;
        Assert.Equal(weights, Train(config, "b").Weights);
        Assert.NotEqual(weights, Train(config with { Seed = 1 }, "c").Weights);
    }

    [Fact]
    public void Two_runs_cannot_write_one_folder_at_once()
    {
        var config = data.Config(clip, 2);
        UsageException? refused = null;
        var options = Options("one") with
        {
            OnStep = _ =>
            {
                using var second = new Trainer(config, Options("one"));
                refused ??= Assert.Throws<UsageException>(() => second.Run());
            },
        };
        using (var trainer = new Trainer(config, options)) trainer.Run();
        Assert.Contains("another process is training in", refused!.Message, StringComparison.Ordinal);
        Assert.Equal(2, Train(config, "one").Progress.Step);   // free again, and whole
    }

    // Dropout, batches summed, both precisions, evaluations, and an order that depends on the captions.
    [Theory]
    [InlineData("mv-adapter", 1, "fp32", 0)]
    [InlineData("adaptformer", 2, "fp32", -1)]
    [InlineData("full", 1, "bf16", 3)]
    public void A_run_stopped_anywhere_ends_with_the_same_weights(string method, int accumulation, string precision, int evaluateEvery)
    {
        var config = data.Config(clip, 24) with
        {
            Method = method,
            Settings = method == "mv-adapter" ? TinyClip.AdapterSettings.ToJson() : "",
            Accumulation = accumulation,
            Precision = precision,
            EvaluateEvery = evaluateEvery,
        };
        var whole = Train(config, "whole");
        foreach (var stop in new[] { 1, 2, 9, 23 }) Stop(config, "parts", stop);
        var parts = Train(config, "parts");
        Assert.Equal(whole.Weights, parts.Weights);
        Assert.Equal(Losses("whole"), Losses("parts"));
        Assert.Equal(24, parts.Progress.Step);
        if (evaluateEvery >= 0) Assert.Equal(File.ReadAllBytes(folder.File("whole/best.safetensors")), File.ReadAllBytes(folder.File("parts/best.safetensors")));
    }

    [Fact]
    public void A_run_stopped_while_it_evaluates_does_not_leave_the_evaluation_out()
    {
        var config = data.Config(clip, 4) with { EvaluateEvery = 2 };
        Train(config, "whole");
        using var stop = new CancellationTokenSource();
        var options = Options("parts") with { OnStep = step => { if (step.Step == 2) stop.Cancel(); } };
        using (var trainer = new Trainer(config, options)) Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
        Train(config, "parts");
        Assert.Equal(Log("whole").Select(Evaluation), Log("parts").Select(Evaluation));
        Assert.Equal(2, Log("parts").Count(entry => entry.TextToVideoR1 is not null));

        static (long, double?, double?) Evaluation(TrainingLogEntry entry) => (entry.Step, entry.TextToVideoR1, entry.VideoToTextR1);
    }

    [Fact]
    public void Videos_that_cannot_be_read_are_passed_over_named_and_keep_resuming_exact()
    {
        data.Write("bad.mp4", "no video");
        var names = Enumerable.Range(0, 3).Select(i => Path.GetFileName(data.Video(i))).Concat(["bad.mp4"]);
        var captions = data.Write("some-bad.csv", "video,caption\n" + string.Concat(names.Select((name, i) => $"{name},caption {i}\n")));
        // Batches of two: one with the bad video is passed over whole.
        var config = data.Config(clip, 9) with { Annotations = captions, BatchSize = 2 };
        var whole = Train(config, "whole");
        foreach (var stop in new[] { 2, 3, 7 }) Stop(config, "parts", stop);
        Assert.Equal(whole.Weights, Train(config, "parts").Weights);
        Assert.Equal(["bad.mp4"], whole.Progress.Skipped);
        Assert.Single(whole.Messages, message => message.StartsWith("skipped ", StringComparison.Ordinal) && message.Contains("bad.mp4", StringComparison.Ordinal));
    }

    [Fact]
    public void Wrong_answers_are_learnt_from_and_keep_resuming_exact()
    {
        data.Write("bad.mp4", "no video");
        var rows = Enumerable.Range(0, TinyDataset.Count).Select(i => $"{Path.GetFileName(data.Video(i))},caption {i},caption\n").ToList();
        // Each is a wrong answer to the caption before; the last cannot be read.
        var wrong = Enumerable.Range(1, TinyDataset.Count - 1).Select(i => $"{Path.GetFileName(data.Video(i))},caption {i - 1},wrong\n").Append($"bad.mp4,caption {TinyDataset.Count - 1},wrong\n");
        var config = data.Config(clip, 40) with { Annotations = data.Write("right.csv", "video,caption,kind\n" + string.Concat(rows)) };
        var marked = config with { Annotations = data.Write("marked.csv", "video,caption,kind\n" + string.Concat(rows.Concat(wrong))) };
        var whole = Train(marked, "whole");
        foreach (var stop in new[] { 1, 11 }) Stop(marked, "parts", stop);
        Assert.Equal(whole.Weights, Train(marked, "parts").Weights);
        Assert.Equal(Losses("whole"), Losses("parts"));
        Assert.Contains("wrong answers: 8 to learn from", whole.Messages);
        Assert.Empty(whole.Progress.Skipped);
        // More to tell it from: the first loss, over the same batch and weights, is higher.
        Train(config, "without");
        Assert.True(Losses("whole")[0] > Losses("without")[0] + 1e-3);
        Assert.Contains("wrong answers: 8 are left out; only one worker with chunk_size 0 learns from them", Train(marked with { ChunkSize = 2, Steps = 1 }, "parted").Messages);
    }

    [Fact]
    public void Videos_that_can_all_not_be_read_end_the_run()
    {
        var names = Enumerable.Range(0, 4).Select(i => $"no-video-{i}.mp4").ToList();
        foreach (var name in names) data.Write(name, "no video");
        var captions = data.Write("all-bad.csv", "video,caption\n" + string.Concat(names.Select((name, i) => $"{name},caption {i}\n")));
        var error = Assert.Throws<MvAdapterException>(() => Train(data.Config(clip, 5) with { Annotations = captions, BatchSize = 2 }, "run"));
        Assert.Contains("no batch of captions has two videos that can be read: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("no-video-", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Summed_batches_are_logged_as_their_mean_and_a_step_is_taken_after_all()
    {
        // With all videos in one batch, two batches hold the same pairs: their mean gradient is that of one.
        var one = data.Config(clip, 3) with { BatchSize = TinyDataset.Count };
        Train(one, "one");
        Train(one with { Accumulation = 2 }, "two");
        foreach (var (a, b) in Losses("one").Zip(Losses("two"))) Assert.Equal(a, b, 1e-3);
    }

    [Fact]
    public void Bf16_trains_to_nearly_the_same_losses()
    {
        var config = data.Config(clip, 5) with { Method = "full", Settings = "", ClipLr = 1e-3 };
        Train(config, "fp32");
        Train(config with { Precision = "bf16" }, "bf16");
        foreach (var (a, b) in Losses("fp32").Zip(Losses("bf16"))) Assert.Equal(a, b, 0.1);
    }

    [Fact]
    public void Training_learns_and_evaluates_as_it_says()
    {
        var config = data.Config(clip, 60) with { BatchSize = TinyDataset.Count, EvaluateEvery = 20 };
        using var trainer = new Trainer(config, Options("run"));
        trainer.Run();
        var losses = Losses("run");
        Assert.True(losses[^1] < 0.7 * losses[0], $"from {losses[0]} to {losses[^1]}");
        var last = Log("run").Last(entry => entry.TextToVideoR1 is not null);
        var evaluated = trainer.Evaluate(Split.Val);
        Assert.Equal((60, evaluated.TextToVideo.R1, evaluated.VideoToText.R1), (last.Step, last.TextToVideoR1!.Value, last.VideoToTextR1!.Value));
    }

    [Fact]
    public void Training_stops_early_when_nothing_gets_better_and_stays_stopped()
    {
        // With a rate of zero the second evaluation cannot be better than the first.
        var config = data.Config(clip, 50) with { AdapterLr = 0, ClipLr = 0, EvaluateEvery = 5, Patience = 2 };
        var run = Train(config, "run");
        Assert.Equal((15L, true), (run.Progress.Step, run.Progress.Stopped));
        Assert.Contains(run.Messages, message => message.Contains("stopping early", StringComparison.Ordinal));
        Assert.True(File.Exists(folder.File("run/best.safetensors")));
        Assert.Equal(15, Train(config, "run").Progress.Step);
    }

    [Fact]
    public void A_loss_that_is_no_number_stops_the_run_and_keeps_the_last_sound_checkpoint()
    {
        var config = data.Config(clip, 30) with { AdapterLr = 1e30 };
        var error = Assert.Throws<MvAdapterException>(() => Train(config, "run", TimeSpan.Zero));
        Assert.Matches("^step [2-9]: the (loss|gradient's norm) is (NaN|∞|-∞|Infinity)", error.Message);
        foreach (var part in new[] { "adapter_lr 1E+30", "warmup", "fp32", "last checkpoint is kept", "v" }) Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.Equal(4, Enumerable.Range(0, TinyDataset.Count).Count(i => error.Message.Contains(Path.GetFileName(data.Video(i)), StringComparison.Ordinal)));
        var checkpoint = Safetensors.Read(folder.File("run/checkpoint.safetensors"));
        Assert.All(checkpoint.Tensors.Values, tensor => Assert.All(tensor.ToFloats(), value => Assert.InRange(value, -1e6f, 1e6f)));
        Assert.Empty(Directory.EnumerateFiles(folder.File("run"), ".*"));
    }

    [Fact]
    public void Before_the_first_step_a_run_says_how_long_it_will_take()
    {
        var single = Train(data.Config(clip, 20), "single").Messages;
        Assert.Matches(@"^20 steps of 4 videos, [\d.]+ s each: about \d+ \w+ without evaluations, [\d.]+ GB of memory$", Assert.Single(single, IsEstimate));
        Assert.Contains("20 steps of 8 videos", Assert.Single(Train(data.Config(clip, 20) with { Accumulation = 2 }, "double").Messages, IsEstimate), StringComparison.Ordinal);

        static bool IsEstimate(string message) => message.Contains("s each: about", StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_of_another_run_is_refused_by_the_names_of_what_differs()
    {
        var config = data.Config(clip, 2);
        Train(config, "run");
        var error = Assert.Throws<UsageException>(() => Train(config with { AdapterLr = 1, Seed = 7 }, "run"));
        Assert.Contains("differs in adapter_lr, seed;", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_leaves_what_it_says()
    {
        var config = data.Config(clip, 3);
        Directory.CreateDirectory(folder.File("run"));
        File.WriteAllText(folder.File($"run/.{Guid.NewGuid():N}.tmp"), "what a killed process left");
        Train(config, "run");
        var names = Directory.EnumerateFiles(folder.File("run")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(["adapter.safetensors", "checkpoint.safetensors", "config.yaml"], names.Take(3));
        Assert.StartsWith("events.out.tfevents.", names[3], StringComparison.Ordinal);
        Assert.Equal("log.jsonl", names[4]);
        Assert.Equal(5, names.Count);
        Assert.Empty(RunConfigFile.Differences(config, RunConfigFile.Read(folder.File("run/config.yaml"))));
        Assert.Empty(RunConfigFile.Differences(config, RunConfigFile.TryReadFrom(folder.File("run/adapter.safetensors"))!));
        var events = EventFileReader.ReadFolder(folder.File("run")).Where(scalar => scalar.Tag == "train/loss").Select(scalar => (scalar.Step, (double)scalar.Value));
        Assert.Equal(Log("run").Select(entry => (entry.Step, (double)(float)entry.Loss!.Value)), events);
    }

    [Fact]
    public void Damaged_checkpoints_give_clear_lines()
    {
        var config = data.Config(clip, 1);
        Train(config, "run");
        var path = folder.File("run/checkpoint.safetensors");
        HostileInput.Check(File.ReadAllBytes(path), damaged =>
        {
            File.Copy(damaged, path, overwrite: true);
            try
            {
                using var trainer = new Trainer(config, Options("run"));
            }
            catch (UsageException)
            {
                // The damage has hit a value of the config.
            }
        }, cases: 60);
    }

    private (byte[] Weights, RunProgress Progress, List<string> Messages) Train(RunConfig config, string run, TimeSpan? interval = null)
    {
        List<string> messages = [];
        using var trainer = new Trainer(config, Options(run) with { OnMessage = messages.Add, CheckpointInterval = interval ?? TimeSpan.FromHours(1) });
        var progress = trainer.Run();
        return (File.ReadAllBytes(folder.File($"{run}/adapter.safetensors")), progress, messages);
    }

    private void Stop(RunConfig config, string run, int step)
    {
        using var stop = new CancellationTokenSource();
        using var trainer = new Trainer(config, Options(run) with { OnStep = taken => { if (taken.Step == step) stop.Cancel(); } });
        Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
        Assert.Equal(step, trainer.Progress.Step);
    }

    private TrainerOptions Options(string run) => new() { Output = folder.File(run) };

    private IReadOnlyList<TrainingLogEntry> Log(string run) => JsonLines.Read<TrainingLogEntry>(folder.File($"{run}/log.jsonl"));

    private List<double> Losses(string run) => [.. Log(run).Where(entry => entry.Loss is not null).Select(entry => entry.Loss!.Value)];
}
