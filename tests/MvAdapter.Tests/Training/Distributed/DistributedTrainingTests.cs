using MvAdapter.Datasets;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

/// <summary>So many workers are as one with the same batch: losses, weights, evaluations (model.md section 8).</summary>
[Collection(Alone.Name)]
[Trait("Category", "Slow")]
public sealed class DistributedTrainingTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>, IDisposable
{
    private const double Close = 1e-5;
    private const int Steps = 20;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1, 4, 0, 1, "mv-adapter")]
    [InlineData(2, 4, 0, 1, "mv-adapter")]
    [InlineData(3, 6, 0, 1, "mv-adapter")]
    [InlineData(4, 8, 0, 1, "mv-adapter")]
    [InlineData(2, 8, 2, 1, "mv-adapter")]
    [InlineData(2, 4, 1, 3, "mv-adapter")]
    [InlineData(3, 6, 0, 2, "full")]
    public void Workers_have_the_losses_and_weights_of_one(int count, int batch, int chunk, int accumulation, string method)
    {
        var config = Config(batch) with { ChunkSize = chunk, Accumulation = accumulation, Method = method, Settings = method == "mv-adapter" ? TinyClip.AdapterSettings.ToJson() : "" };
        var (alone, together) = (One(config, "alone"), Workers(count, config, "together"));
        AssertAlike(alone, together);
    }

    [Fact]
    public void So_they_have_when_each_block_is_computed_again()
    {
        var config = Config(4) with { GradientCheckpointing = true };
        AssertAlike(One(config, "alone"), Workers(2, config, "together"));
    }

    [Fact]
    public void A_run_goes_on_with_another_number_of_workers()
    {
        var config = Config(4) with { EvaluateEvery = 5 };
        var whole = One(config, "whole");
        Workers(2, config, "parts", stopAt: 6);
        Workers(4, config, "parts", stopAt: 13);
        AssertAlike(whole, One(config, "parts"));
    }

    [Fact]
    public void Videos_that_cannot_be_read_leave_the_rest_of_the_batch_to_all()
    {
        File.WriteAllText(data.File("broken.mp4"), "no video");
        var captions = File.ReadAllText(data.Captions).TrimEnd('\n') + "\nbroken.mp4,a broken thing,train\nv0.mp4,another of the first,train\n";
        var config = Config(2) with { Annotations = data.Write("broken.csv", captions) };
        var alone = One(config, "alone");
        var together = Workers(2, config, "together");   // a row each: a worker may have none
        AssertAlike(alone, together);
        Assert.Equal(alone.Progress.Skipped, together.Progress.Skipped);
        Assert.Equal(alone.Progress.SkippedBatches, together.Progress.SkippedBatches);
        Assert.Single(together.Progress.Skipped);
    }

    [Fact]
    public void An_evaluation_is_divided_and_has_the_same_numbers()
    {
        var config = Config(6) with { Steps = 2 };
        One(config, "run");
        var results = Together.Run(3, workers =>
        {
            using var trainer = new Trainer(config, Options("run") with { Workers = workers });
            return trainer.Evaluate(Split.Test);
        });
        using var one = new Trainer(config, Options("run"));
        var expected = one.Evaluate(Split.Test);
        Assert.All(results, result =>
        {
            Assert.Equal(expected.VideoIds, result.VideoIds);
            Assert.Equal(expected.Captions, result.Captions);
            Assert.Equal(expected.TextToVideo, result.TextToVideo);
            Assert.Equal(expected.VideoToText, result.VideoToText);
        });
    }

    [Theory]
    [InlineData(3, 4, "batch_size 4 cannot be divided among 3 workers: use 3 or 6")]
    [InlineData(4, 2, "batch_size 2 has fewer rows than there are workers (4): use fewer workers, or batch_size 4")]
    public void A_batch_that_cannot_be_divided_is_refused_with_those_that_can(int count, int batch, string reason) => Together.Run(count, workers =>
    {
        var error = Assert.Throws<UsageException>(() => new Trainer(Config(batch), Options("refused") with { Workers = workers }));
        Assert.Equal(reason, error.Message);
        return true;
    });

    [Fact]
    public void Workers_that_see_other_videos_are_refused()
    {
        var fewer = data.WriteCaptions("fewer.csv", [0, 1, 2, 3, 4, 5]);
        Together.Run(2, workers =>
        {
            var config = Config(4) with { Annotations = workers.Rank == 1 ? fewer : data.Captions };
            var error = Assert.ThrowsAny<MvAdapterException>(() => new Trainer(config, Options("other") with { Workers = workers }));
            Assert.Matches("rank 1 .* sees 6 videos and 6 pairs, rank 0 .* sees 8 videos", error.Message);
            return true;
        });
    }

    [Fact]
    public void A_loss_that_is_no_number_ends_all_and_leaves_the_last_checkpoint()
    {
        var config = Config(4) with { Steps = 8, AdapterLr = 1e30 };
        var messages = Together.Run(2, workers =>
        {
            using var trainer = new Trainer(config, Options("nan") with { Workers = workers, CheckpointInterval = TimeSpan.Zero });
            return Assert.ThrowsAny<MvAdapterException>(() => trainer.Run()).Message;
        });
        Assert.All(messages, message => Assert.Matches("rank [01] .*: step [0-9]+: the loss is .*Try a smaller learning rate", message));
        using var reopened = new Trainer(config with { }, Options("nan"));
        using var scope = new MvAdapter.Torch.TensorScope();
        Assert.All(reopened.Model.TrainableParameters(), parameter => Assert.All(parameter.Value.ToFloats(), value => Assert.True(float.IsFinite(value), parameter.Key)));
    }

    private MvAdapter.Training.RunConfig Config(int batch) => data.Config(clip, Steps) with { BatchSize = batch, AdapterLr = 1e-3, ClipLr = 1e-4 };

    private TrainerOptions Options(string name) => new() { Output = folder.File(name) };

    private Trained One(MvAdapter.Training.RunConfig config, string name)
    {
        using var trainer = new Trainer(config, Options(name));
        return new Trained(trainer.Run(), Weights(name), Log(name));
    }

    private Trained Workers(int count, MvAdapter.Training.RunConfig config, string name, int stopAt = 0)
    {
        var progress = Together.Run(count, workers =>
        {
            // As Slurm does, all are told at once, each by itself; here after a step.
            using var stop = new CancellationTokenSource();
            using var trainer = new Trainer(config, Options(name) with { Workers = workers, OnStep = step => { if (step.Step == stopAt) stop.Cancel(); } });
            try
            {
                return trainer.Run(stop.Token);
            }
            catch (OperationCanceledException)
            {
                workers.Fail("was told to end");
                return trainer.Progress;
            }
            catch (WorkerException) when (stopAt > 0)
            {
                return trainer.Progress;
            }
        });
        return stopAt > 0 ? new Trained(progress[0], null, []) : new Trained(progress[0], Weights(name), Log(name));
    }

    private StoredTensors Weights(string name) => new(folder.File(name + "/checkpoint.safetensors"));

    private List<TrainingLogEntry> Log(string name) => [.. JsonLines.Read<TrainingLogEntry>(folder.File(name + "/log.jsonl"))];

    private static void AssertAlike(Trained expected, Trained actual)
    {
        Assert.Equal(expected.Progress.Step, actual.Progress.Step);
        var (losses, others) = (expected.Log.Select(entry => entry.Loss).OfType<double>().ToList(), actual.Log.Select(entry => entry.Loss).OfType<double>().ToList());
        Assert.Equal(Steps, losses.Count);
        Assert.Equal(losses.Count, others.Count);
        for (var i = 0; i < losses.Count; i++) Assert.InRange(others[i], losses[i] - Close, losses[i] + Close);
        Assert.NotEqual(losses[0], losses[^1]);
        expected.Weights!.AssertClose(actual.Weights!, Close, "parameter.");
    }

    private sealed record Trained(RunProgress Progress, StoredTensors? Weights, List<TrainingLogEntry> Log);
}
