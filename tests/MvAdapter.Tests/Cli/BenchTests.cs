using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary><c>bench</c> from outside, as small as it goes: what it reports, not how fast anything is.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class BenchTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Tasks_are_weighed_beside_full_fine_tuning()
    {
        var report = Json("bench", "tasks", "--clip", "ViT-B/32", "--tasks", "2", "--repeats", "1", "--json");
        Assert.Equal(2, report.GetProperty("tasks").GetInt32());
        var bytes = report.GetProperty("adapter_bytes");
        var (full, half, eighth) = (bytes.GetProperty("fp32").GetInt64(), bytes.GetProperty("bf16").GetInt64(), bytes.GetProperty("int8").GetInt64());
        // Two tasks of 2.4 % each, in four bytes, two and about one.
        Assert.InRange((double)full / report.GetProperty("full_bytes").GetInt64(), 0.03, 0.06);
        Assert.InRange((double)full / half, 1.8, 2.1);
        Assert.True(eighth < half);
        Assert.True(report.GetProperty("caption_seconds_same_task").GetDouble() > 0);
        Assert.Equal(["1", "2"], report.GetProperty("batch_seconds").EnumerateObject().Select(item => item.Name));
    }

    [Fact]
    public void A_step_is_timed_in_each_way_and_in_parts()
    {
        var report = Json("bench", "train", "--clip", "ViT-B/32", "--videos", "2", "--chunk-size", "1", "--paths", "plain-fp32,bf16,fp32-recompute", "--repeats", "1", "--json");
        var results = report.GetProperty("results").EnumerateArray().ToList();
        Assert.Equal(["plain fp32", "bf16", "fp32, recompute"], results.Select(result => result.GetProperty("path").GetString()));
        Assert.Equal(1, results[0].GetProperty("ratio").GetDouble());
        Assert.All(results, result =>
        {
            Assert.True(result.GetProperty("seconds").GetDouble() > 0);
            Assert.True(result.GetProperty("peak_memory_bytes").GetInt64() > 400_000_000);   // the weights alone
        });
    }

    [Fact]
    public void Ways_can_be_chosen()
    {
        var report = Json("bench", "text", "--clip", "ViT-B/32", "--paths", "bf16,fp32", "--repeats", "1", "--json");
        Assert.Equal(["fp32", "bf16"], report.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("path").GetString()));
    }

    [Fact]
    public void Reading_videos_is_timed_beside_ffmpeg_alone_and_indexing_beside_its_parts()
    {
        var decoding = Json("bench", "decode", "--count", "2", "--repeats", "1", "--json");
        Assert.Equal(20, decoding.GetProperty("frames").GetInt32());   // ten seconds each, one a second
        Assert.True(decoding.GetProperty("share").GetDouble() > 0);
        var video = Ffmpeg.Make(folder.File("a.mp4"), "testsrc=d=21:s=64x48:r=4", "-pix_fmt", "yuv420p");
        var indexing = Json("bench", "index", "--videos", video, "--clip", "ViT-B/32", "--repeats", "1", "--json");
        Assert.Equal(2, indexing.GetProperty("clips").GetInt32());
        Assert.True(indexing.GetProperty("index_seconds").GetDouble() > 0);
        Assert.True(indexing.GetProperty("peak_memory_bytes").GetInt64() > 300_000_000);
    }

    [Fact]
    public void Captions_cut_to_their_length_have_the_embeddings_of_padded_ones()
    {
        var captions = folder.Write("captions.txt", "a dog runs\na man plays a guitar on a stage while people listen\ncooking\n");
        var report = Json("bench", "captions", "--clip", "ViT-B/32", "--captions", captions, "--vocabulary", Fixtures.Vocabulary, "--repeats", "1", "--json");
        Assert.Equal(3, report.GetProperty("captions").GetInt32());
        var ways = report.GetProperty("ways").EnumerateArray().ToList();
        Assert.InRange(ways[1].GetProperty("least_cosine").GetDouble(), 0.99999, 1.00001);
        Assert.InRange(ways[2].GetProperty("least_cosine").GetDouble(), 0.999, 1.00001);
    }

    [Fact]
    public void What_cannot_be_measured_is_one_line()
    {
        CommandLine.Run("bench", "train", "--repeats", "0").Fails(2, "at least 1");
        CommandLine.Run("bench", "text", "--paths", "fp16").Fails(2, "no 'fp16'");
        CommandLine.Run("bench", "text", "--paths", "fp32-recompute").Fails(2, "no way of text");
        CommandLine.Run("bench", "decode", "--videos", folder.File("none")).Fails(1, "no such file or folder");
        CommandLine.Run("bench", "decode", "--videos", folder.Write("a.mp4", "no video"), "--repeats", "1").Fails(1, "a.mp4");
        CommandLine.Run("bench", "text", "--clip", "ViT-B/33").Fails(2, "no CLIP is called");
        CommandLine.Run("bench", "captions", "--captions", folder.File("none"), "--vocabulary", "x").Fails(1, "no such file");
    }

    private static JsonElement Json(params string[] arguments) => JsonDocument.Parse(CommandLine.Run(arguments).Succeeds().Output).RootElement;
}
