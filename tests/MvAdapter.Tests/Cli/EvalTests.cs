using System.Text.Json;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Cli;

/// <summary>What <c>eval</c> prints and writes.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class EvalTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Json_is_an_array_of_one_object_a_method()
    {
        var root = Json(Eval("--captions", data.Captions, "--json").Succeeds());
        Assert.Equal("zero-shot", root.GetProperty("method").GetString());
        Assert.Equal(0, root.GetProperty("seed").GetInt64());
        foreach (var direction in new[] { "text_to_video", "video_to_text" })
        {
            var metrics = root.GetProperty(direction);
            Assert.InRange(metrics.GetProperty("r1").GetDouble(), 0, metrics.GetProperty("r5").GetDouble());
            Assert.InRange(metrics.GetProperty("r5").GetDouble(), 0, metrics.GetProperty("r10").GetDouble());
            Assert.Equal(100, metrics.GetProperty("r10").GetDouble());
            Assert.InRange(metrics.GetProperty("median_rank").GetDouble(), 1, TinyDataset.Count);
            Assert.InRange(metrics.GetProperty("mean_rank").GetDouble(), 1, TinyDataset.Count);
        }
        Assert.Equal((0L, 0L, 0.0), (root.GetProperty("trainable_parameters").GetInt64(), root.GetProperty("storage_bytes").GetInt64(), root.GetProperty("train_seconds").GetDouble()));
        Assert.True(root.GetProperty("peak_memory_bytes").GetInt64() > 1_000_000);
        Assert.False(root.TryGetProperty("order_accuracy", out _));
    }

    [Fact]
    public void An_adapter_is_reported_with_its_runs_seed_and_cost()
    {
        var config = data.Config(clip, 4) with { Seed = 11, Sampling = "symmetric", Fps = "all" };
        var output = folder.File("adapter.safetensors");
        CommandLine.Run("train", "--config", data.WriteConfig(config), "--output", output, "--threads", "1").Succeeds();
        var root = Json(Eval("--captions", data.Captions, "--adapter", output, "--json").Succeeds());
        Assert.Equal(("mv-adapter", 11L), (root.GetProperty("method").GetString(), root.GetProperty("seed").GetInt64()));
        Assert.True(root.GetProperty("train_seconds").GetDouble() > 0);
        Assert.Equal(new FileInfo(output).Length, root.GetProperty("storage_bytes").GetInt64());

        // Given nothing, it sees the frames that it was trained on.
        var same = Json(Eval("--captions", data.Captions, "--adapter", output, "--json", "--sampling", "symmetric", "--fps", "all", "--frames", "3", "--words", "16").Succeeds());
        Assert.Equal(root.GetProperty("text_to_video").ToString(), same.GetProperty("text_to_video").ToString());

        // Moved away from its run, it still has its seed.
        File.Move(output, folder.File("moved.safetensors"));
        root = Json(Eval("--captions", data.Captions, "--adapter", folder.File("moved.safetensors"), "--json").Succeeds());
        Assert.Equal((11L, 0.0), (root.GetProperty("seed").GetInt64(), root.GetProperty("train_seconds").GetDouble()));
    }

    [Fact]
    public void An_adapter_remembers_how_many_tokens_its_training_merged()
    {
        var output = folder.File("merging.safetensors");
        CommandLine.Run("train", "--config", data.WriteConfig(data.Config(clip, 2)), "--merge-tokens", "3", "--output", output, "--threads", "1").Succeeds();
        var (remembered, told, exact) = (Embedded(), Embedded("--merge-tokens", "3"), Embedded("--merge-tokens", "0"));
        Assert.Equal(remembered, told);
        Assert.NotEqual(remembered, exact);

        // An index remembers its adapter, not a number that was given beside it.
        string[] index = ["index", "add", data.Video(0), "--index", folder.File("i.db"), "--clip", clip.Checkpoint, "--adapter", output];
        CommandLine.Run([.. index, "--merge-tokens", "1"]).Fails(2, "--merge-tokens 1: an index merges as its adapter was trained, with 3; train one with --merge-tokens 1");
        CommandLine.Run(index).Succeeds();
        Eval("--captions", data.Captions, "--merge-tokens", "-1").Fails(2, "--merge-tokens must not be negative");

        byte[] Embedded(params string[] more)
        {
            var file = folder.File("embeddings.safetensors");
            CommandLine.Run(["embed", "--clip", clip.Checkpoint, "--adapter", output, "--videos", data.Video(1), "--output", file, "--threads", "1", .. more]).Succeeds();
            return MvAdapter.Checkpoints.Safetensors.Read(file).Tensors["video_embeddings"].Data.ToArray();
        }
    }

    [Fact]
    public void Order_accuracy_is_reported_where_the_data_has_pairs()
    {
        Ffmpeg.Run(["-i", data.Video(1), "-vf", "reverse", data.File("reversed.mp4")]);
        var captions = data.Write("pairs.csv", "video,caption,reversal_of\nv1.mp4,a dog,\nreversed.mp4,god a,v1.mp4\n");
        Assert.InRange(Json(Eval("--captions", captions, "--json").Succeeds()).GetProperty("order_accuracy").GetDouble(), 0, 100);
        Assert.Contains("Order", Eval("--captions", captions).Succeeds().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_and_unreadable_videos_are_counted_and_named()
    {
        data.Write("broken.mp4", "no video");
        var captions = data.Write("gaps.csv", "video,caption\nv0.mp4,a dog\nbroken.mp4,a cat\ngone.mp4,a man\nv1.mp4,a bike\n");
        var result = Eval("--captions", captions, "--json").Succeeds(3);
        Assert.Contains("warning: 2 of 4 videos are missing", result.Error, StringComparison.Ordinal);
        Assert.Contains("gone.mp4, broken.mp4", result.Error, StringComparison.Ordinal);
        var root = Json(result);
        Assert.Equal((2, 2), (root.GetProperty("missing_videos").GetInt32(), root.GetProperty("videos").GetInt32()));
        Assert.Equal(["gone.mp4", "broken.mp4"], root.GetProperty("missing_video_names").EnumerateArray().Select(name => name.GetString()!));
    }

    [Fact]
    public void Prepared_frames_give_the_same_numbers_without_the_videos()
    {
        var cache = folder.File("frames");
        var sampling = new[] { "--frames", "3" };
        CommandLine.Run(["prepare", "--clip", clip.Checkpoint, "--dataset", "captions", "--annotations", data.Captions, "--splits", "test", "--cache", cache, .. sampling]).Succeeds();
        var decoded = Eval(["--captions", data.Captions, "--json", .. sampling]).Succeeds();
        var cached = Eval(["--captions", data.Captions, "--json", "--cache", cache, .. sampling]).Succeeds();
        Assert.Equal(Json(decoded).GetProperty("text_to_video").ToString(), Json(cached).GetProperty("text_to_video").ToString());
        Eval("--captions", data.Captions, "--cache", folder.File("nothing")).Fails(1, "nothing");
    }

    [Fact]
    public void Videos_that_are_merely_missing_make_the_result_partial()
    {
        var captions = data.Write("missing.csv", "video,caption\nv0.mp4,a dog\ngone.mp4,a man\nv1.mp4,a bike\n");
        Assert.Contains("1 of 3 videos are missing", Eval("--captions", captions).Succeeds(3).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_and_the_worst_queries_say_the_same()
    {
        var ranks = folder.File("ranks.csv");
        var result = Eval("--captions", data.Captions, "--ranks", ranks, "--worst").Succeeds();
        var lines = File.ReadAllLines(ranks);
        Assert.Equal(1 + TinyDataset.Count, lines.Length);
        Assert.StartsWith("query,caption,video,rank,top1,score1", lines[0], StringComparison.Ordinal);
        var worst = lines.Skip(1).Max(line => int.Parse(line.Split(',')[3], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Contains($"rank {worst}: ", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain($"rank {worst + 1}: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_dual_softmax_is_the_librarys()
    {
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var dataset = new RunConfig { Annotations = data.Captions }.Load(MvAdapter.Datasets.Split.Test);
        var expected = Evaluator.Evaluate(encoder, dataset).WithDualSoftmax(0.01).TextToVideo;
        var usual = Json(Eval("--captions", data.Captions, "--json", "--dual-softmax").Succeeds()).GetProperty("text_to_video");
        Assert.Equal(expected.MeanRank, usual.GetProperty("mean_rank").GetDouble(), 1e-9);
        // So flat a softmax that every query has its equal share changes no rank.
        var flat = Json(Eval("--captions", data.Captions, "--json", "--dual-softmax", "--temperature", "1e6").Succeeds()).GetProperty("text_to_video");
        Assert.Equal(Evaluator.Evaluate(encoder, dataset).TextToVideo.MeanRank, flat.GetProperty("mean_rank").GetDouble(), 1e-9);
        Eval("--captions", data.Captions, "--dual-softmax", "--temperature", "0").Fails(2, "temperature");
    }

    [Theory]
    [InlineData(2, "nothing to evaluate")]
    [InlineData(2, "did you mean msrvtt", "--dataset", "msrvt", "--annotations", "x")]
    [InlineData(2, "unknown split", "--captions", "x.csv", "--split", "tset")]
    [InlineData(1, "absent.csv", "--captions", "absent.csv")]
    [InlineData(2, "cannot be made", "--captions", "x.csv", "--ranks", "/dev/null/ranks.csv")]
    public void A_mistake_is_one_line(int code, string reason, params string[] options) => Eval(options).Fails(code, reason);

    [Fact]
    public void A_demo_of_no_steps_is_refused() => CommandLine.Run("demo", "--steps", "0", "--output", folder.File("demo")).Fails(2, "--steps must be at least 1");

    private CommandResult Eval(params string[] options) => CommandLine.Run(["eval", "--clip", clip.Checkpoint, "--threads", "1", .. options]);

    private static JsonElement Json(CommandResult result)
    {
        using var document = JsonDocument.Parse(result.Output);
        return Assert.Single(document.RootElement.EnumerateArray()).Clone();
    }
}
