using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests.Evaluation;

/// <summary>From a dataset with gaps to ranks, and with which frames an adapter is measured.</summary>
[Trait("Category", "Slow")]
public sealed class EvaluatorTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Missing_and_unreadable_videos_are_named_and_the_others_ranked()
    {
        data.Write("broken.mp4", "no video");
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var result = Evaluator.Evaluate(encoder, Load("v0.mp4,red\nbroken.mp4,what\ngone.mp4,who\nv1.mp4,blue\n"));
        Assert.Equal(["gone.mp4", "broken.mp4"], result.Missing);
        Assert.Equal(["v0.mp4", "v1.mp4"], result.VideoIds);
        Assert.Equal(["red", "blue"], result.Captions);
        var report = Reports.Of(encoder.Model, 3, result, 0, 0);
        Assert.Equal((2, 2, 2, 3L), (report.Videos, report.Captions, report.MissingVideos, report.Seed));
    }

    [Fact]
    public void Captions_of_one_video_ask_for_the_same_one()
    {
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var result = Evaluator.Evaluate(encoder, Load("v0.mp4,red\nv1.mp4,blue\nv0.mp4,a red one\nv2.mp4,green\nv0.mp4,very red\n"));
        Assert.Equal(["red", "a red one", "very red", "blue", "green"], result.Captions);
        Assert.Equal([0, 0, 0, 1, 2], result.VideoOfCaption);
        Assert.Equal((5, 3), (result.Similarities.Texts, result.Similarities.Videos));
        Assert.Equal(["v0.mp4#0", "v0.mp4#1", "v0.mp4#2", "v1.mp4#0", "v2.mp4#0"], result.Queries().Select(query => query.Id));
        // The similarities are those of the encoder's own embeddings.
        var text = encoder.EncodeTexts(["blue"]);
        var video = encoder.EncodeVideos([new VideoClip(data.Video(2))]).Single().Embedding;
        Assert.Equal(System.Numerics.Tensors.TensorPrimitives.Dot<float>(text, video), result.Similarities[3, 2], 1e-5);
    }

    [Fact]
    public void Order_pairs_count_only_where_both_videos_can_be_read()
    {
        Ffmpeg.Run(["-i", data.Video(1), "-vf", "reverse", data.File("v1r.mp4")]);
        data.Write("broken-r.mp4", "no video");
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var result = Evaluator.Evaluate(encoder, Load(
            "v0.mp4,red,\nbroken-r.mp4,der,v0.mp4\nv1.mp4,blue,\nv1r.mp4,eulb,v1.mp4\n", "video,caption,reversal_of"));
        Assert.Equal([new OrderPair(1, 2, 1, 2)], result.OrderPairs);
        // A mean over frames cannot tell the two apart, but for rounding of frames that the encoder has seen twice.
        Assert.InRange(result.OrderAccuracy!.Value, 0, 100);
        Assert.Null(Evaluator.Evaluate(encoder, Load("v0.mp4,red\nv1.mp4,blue\n")).OrderAccuracy);
    }

    [Fact]
    public void Nothing_that_can_be_read_is_one_line()
    {
        data.Write("broken.mp4", "no video");
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var error = Assert.Throws<MvAdapterException>(() => Evaluator.Evaluate(encoder, Load("broken.mp4,what\n")));
        Assert.Contains("none of the 1 videos of captions can be read", error.Message, StringComparison.Ordinal);
        Assert.Contains("broken.mp4", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_is_measured_as_it_was_trained_unless_told_otherwise()
    {
        var config = data.Config(clip, 1) with { Method = "bitfit", Settings = "", Frames = 5, Words = 20, Sampling = "symmetric", Fps = "all" };
        using (var trainer = new Trainer(config, new TrainerOptions { Output = folder.File("run") })) trainer.Run();
        var adapter = folder.File("run/adapter.safetensors");
        Check(new ModelSource(clip.Checkpoint) { Adapter = adapter }, "symmetric max_frames=5 fps=all rule=published", 20);
        Check(new ModelSource(clip.Checkpoint) { Adapter = adapter, FramesPerSecond = 2 }, "symmetric max_frames=5 fps=2 rule=published", 20);
        Check(new ModelSource(clip.Checkpoint) { Adapter = adapter, Strategy = FrameStrategy.Head, Frames = 3, Words = 9 }, "head max_frames=3 fps=all rule=published", 9);
        Check(new ModelSource(clip.Checkpoint) { Adapter = adapter, FrameRule = FrameRule.Time }, "symmetric max_frames=5 fps=all rule=time", 20);
        Check(new ModelSource(clip.Checkpoint), "uniform max_frames=12 fps=1 rule=published", 32);

        // An adapter that carries no run, and a method with positions of its own.
        var bare = folder.File("bare.safetensors");
        TinyClip.WriteAdapter(bare, clip.Config);
        Check(new ModelSource(clip.Checkpoint) { Adapter = bare }, $"uniform max_frames={TinyClip.AdapterSettings.Frames} fps=1 rule=published", TinyClip.AdapterSettings.Words);

        // A run that does not name its rule was made when all went by time.
        using var model = clip.Load();
        using var zeroShot = RetrievalModel.ZeroShot(model);
        AdapterCheckpoint.Save(bare, zeroShot, metadata: new Dictionary<string, string> { [AdapterCheckpoint.ConfigKey] = "frames: 7\nfps: 1\n" });
        Check(new ModelSource(clip.Checkpoint) { Adapter = bare }, "uniform max_frames=7 fps=1 rule=time", 32);
        Assert.Equal("time", RunConfigFile.TryReadFrom(bare)!.FrameRule);
        Check(new ModelSource(clip.Checkpoint) { Adapter = bare, FrameRule = FrameRule.Published }, "uniform max_frames=7 fps=1 rule=published", 32);

        static void Check(ModelSource source, string sampling, int words)
        {
            using var encoder = VideoTextEncoder.Load(source);
            Assert.Equal((sampling, words), (encoder.Sampling.ToString(), encoder.Words));
        }
    }

    [Theory]
    [InlineData("frames: many")]
    [InlineData("frames: 99999999999")]
    [InlineData("frames: 0")]
    [InlineData("sampling: random")]
    [InlineData("fps: never")]
    [InlineData("frame_rule: count")]
    [InlineData("a: b: c")]
    [InlineData("- 1")]
    public void A_damaged_config_in_an_adapter_is_one_line(string yaml)
    {
        using var model = clip.Load();
        using var zeroShot = RetrievalModel.ZeroShot(model);
        var path = folder.File("damaged.safetensors");
        AdapterCheckpoint.Save(path, zeroShot, metadata: new Dictionary<string, string> { [AdapterCheckpoint.ConfigKey] = yaml });
        var error = Assert.ThrowsAny<MvAdapterException>(() => VideoTextEncoder.Load(new ModelSource(clip.Checkpoint) { Adapter = path }));
        Assert.DoesNotContain('\n', error.Message);
    }

    private Dataset Load(string rows, string header = "video,caption") =>
        DatasetSource.Load("captions", new DatasetOptions { Annotations = data.Write("evaluated.csv", header + "\n" + rows), Split = Split.Test });
}
