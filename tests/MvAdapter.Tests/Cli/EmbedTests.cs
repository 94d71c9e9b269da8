using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>What <c>embed</c> writes and prints, with a model of the test's own.</summary>
[Collection("Command line")]
public sealed class EmbedTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Lists_and_arguments_keep_their_order_and_their_duplicates()
    {
        var other = Ffmpeg.Make(folder.File("other.mp4"), "testsrc2=d=2:s=48x64:r=10");
        var bad = folder.Write("bad.mp4", "no video");
        // As an editor on Windows saves a list: a byte-order mark, CRLF, an empty line, no end of line at the end.
        var list = folder.Write("list.txt", $"\uFEFF{clip.Video}\r\n\r\n{bad}\r\n{clip.Video}\r\n{other}");
        var texts = folder.Write("texts.json", JsonSerializer.Serialize(new[] { "a man", "", "a dog\nruns", "a man" }));

        var result = Embed("--videos", other, clip.Video, "--video-list", list, "--texts", texts).Succeeds(3);

        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"warning: skipped {bad}: ", result.Error, StringComparison.Ordinal);
        var (tensors, metadata) = Written();
        Assert.Equal([other, clip.Video, clip.Video, clip.Video, other], List(metadata["videos"]));
        Assert.Equal(["a man", "", "a dog\nruns", "a man"], List(metadata["texts"]));
        Assert.Equal([bad], List(metadata["skipped"]));
        var videos = Rows(tensors["video_embeddings"]);
        Assert.Equal(5, videos.Length);
        Assert.Equal(1, Cosine(videos[0], videos[4]), 5);
        Assert.Equal(1, Cosine(videos[1], videos[3]), 5);
        Assert.True(Cosine(videos[0], videos[1]) < 0.9999);
        var captions = Rows(tensors["text_embeddings"]);
        Assert.Equal(4, captions.Length);
        Assert.Equal(1, Cosine(captions[0], captions[3]), 5);
        Assert.All(videos.Concat(captions), row => Assert.Equal(1, Cosine(row, row), 5));
    }

    [Fact]
    public void Json_is_the_only_thing_on_the_standard_output()
    {
        var texts = folder.Write("texts.txt", "a man\n\na dog\n");
        var result = Embed("--texts", texts, "--videos", clip.Video, folder.File("absent.mp4"), "--json").Succeeds(3);
        using var json = JsonDocument.Parse(result.Output);
        Assert.Equal(1, json.RootElement.GetProperty("videos").GetInt32());
        Assert.Equal(3, json.RootElement.GetProperty("texts").GetInt32());
        Assert.Equal(clip.Config.EmbeddingWidth, json.RootElement.GetProperty("width").GetInt32());
        Assert.Equal(folder.File("absent.mp4"), json.RootElement.GetProperty("skipped")[0].GetProperty("video").GetString());
    }

    [Fact]
    public void Any_text_is_a_text()
    {
        var texts = folder.Write("texts.json", JsonSerializer.Serialize(new[]
        {
            "", " ", new string('x', 10_000), string.Concat(Enumerable.Repeat("word ", 10_000)), "bell \a, escape \u001b[31m, null \0", "映像 🎬", "<|endoftext|>", "a man",
        }));
        Embed("--texts", texts).Succeeds();
        var rows = Rows(Written().Tensors["text_embeddings"]);
        Assert.Equal(8, rows.Length);
        Assert.All(rows, row => Assert.Equal(1, Cosine(row, row), 5));
    }

    [Fact]
    public void An_adapter_of_fresh_weights_is_exactly_zero_shot_CLIP()
    {
        var adapter = folder.File("adapter.safetensors");
        TinyClip.WriteAdapter(adapter, clip.Config);
        var texts = folder.Write("texts.txt", "a man\na dog\n");
        Embed("--texts", texts, "--videos", clip.Video).Succeeds();
        var plain = Written().Tensors;
        Embed("--texts", texts, "--videos", clip.Video, "--adapter", adapter).Succeeds();
        var adapted = Written().Tensors;
        foreach (var name in plain.Keys)
            Assert.All(Rows(plain[name]).Zip(Rows(adapted[name])), pair => Assert.Equal(1, Cosine(pair.First, pair.Second), 5));
    }

    private string Output => folder.File("out.safetensors");

    private CommandResult Embed(params string[] arguments) => CommandLine.Run(["embed", "--clip", clip.Checkpoint, "--output", Output, .. arguments]);

    private SafetensorsFile Written() => Safetensors.Read(Output);

    private static List<string> List(string json) => JsonSerializer.Deserialize<List<string>>(json)!;

    private static float[][] Rows(StoredTensor tensor) => [.. tensor.ToFloats().Chunk((int)tensor.Shape[1])];

    private static double Cosine(float[] a, float[] b) => System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(a, b)
        * System.Numerics.Tensors.TensorPrimitives.Norm<float>(a) * System.Numerics.Tensors.TensorPrimitives.Norm<float>(b);
}
