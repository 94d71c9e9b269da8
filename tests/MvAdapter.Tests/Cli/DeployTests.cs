using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary><c>merge</c> and <c>export</c> from outside.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class DeployTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyDataset>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_merged_clip_embeds_as_the_adapter_does()
    {
        var (adapter, merged) = (Write("lora"), folder.File("merged"));
        var output = CommandLine.Run("merge", "--clip", clip.Checkpoint, "--adapter", adapter, "--output", merged).Succeeds().Output;
        Assert.Contains("--frames 12 --words 32 --sampling uniform --fps 1", output, StringComparison.Ordinal);

        var before = Embed("before.safetensors", "--clip", clip.Checkpoint, "--adapter", adapter);
        var after = Embed("after.safetensors", "--clip", merged);
        var plain = Embed("plain.safetensors", "--clip", clip.Checkpoint);
        foreach (var tower in new[] { "video_embeddings", "text_embeddings" })
        {
            Rounding.AssertSame(before[tower], after[tower], Rounding.SumsOf(TinyClip.Layers), tower);
            Assert.True(Rounding.Distance(plain[tower], after[tower]) > 1e-3);
        }

        // What is one CLIP now takes adapters of its own, and refuses those of the other.
        CommandLine.Run("embed", "--clip", merged, "--adapter", adapter, "--videos", clip.Video, "--output", folder.File("x")).Fails(1, "trained on another CLIP");
    }

    [Fact]
    public void What_cannot_be_merged_says_what_to_do_instead()
    {
        var adapter = Write("mv-adapter");
        Merge(folder.File("merged")).Fails(2, "use export");
        Assert.False(Directory.Exists(folder.File("merged")));
        Merge(adapter).Fails(2, "is a file; give a folder");
        Merge(Path.GetDirectoryName(clip.Checkpoint)!, Path.GetDirectoryName(clip.Checkpoint)!).Fails(2, "is the CLIP itself");
        CommandLine.Run("merge", "--clip", clip.Checkpoint, "--output", folder.File("merged")).Fails(2, "--adapter");

        CommandResult Merge(string output, string? source = null) =>
            CommandLine.Run("merge", "--clip", source ?? clip.Checkpoint, "--adapter", adapter, "--output", output);
    }

    [Fact]
    public void Export_measures_before_and_after()
    {
        var (adapter, packed) = (Write("mv-adapter"), folder.File("packed.safetensors"));
        string[] options = ["export", "--adapter", adapter, "--precision", "int8", "--output", packed, "--clip", clip.Checkpoint, "--captions", data.Captions, "--threads", "1"];
        var table = CommandLine.Run(options).Succeeds().Output;
        Assert.Contains("R@1 text to video", table, StringComparison.Ordinal);
        Assert.Contains("loss", table, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(CommandLine.Run([.. options, "--json"]).Succeeds().Output);
        var (before, after) = (json.RootElement.GetProperty("before"), json.RootElement.GetProperty("after"));
        Assert.Equal(("fp32", "int8"), (before.GetProperty("precision").GetString(), after.GetProperty("precision").GetString()));
        Assert.Equal(new FileInfo(packed).Length, after.GetProperty("bytes").GetInt64());

        // The same numbers as eval's, of the packed file.
        using var eval = JsonDocument.Parse(CommandLine.Run("eval", "--clip", clip.Checkpoint, "--adapter", packed, "--captions", data.Captions, "--threads", "1", "--json").Succeeds().Output);
        Assert.Equal(eval.RootElement[0].GetProperty("text_to_video").GetProperty("r1").GetDouble(), after.GetProperty("text_to_video_r1").GetDouble());
    }

    [Fact]
    public void Export_without_data_shows_sizes_and_errors_and_refuses_what_it_cannot_do()
    {
        var (adapter, packed) = (Write("mv-adapter"), folder.File("packed.safetensors"));
        var table = Export("int8", packed).Succeeds().Output;
        Assert.Contains("largest relative error", table, StringComparison.Ordinal);
        Assert.Contains("adapter.", table, StringComparison.Ordinal);
        adapter = packed;
        Export("bf16", folder.File("wider.safetensors")).Fails(2, "is stored as int8 already");
        Export("int8", Path.Combine(packed, "packed.safetensors")).Fails(2, "cannot be made");
        Export("int8", folder.File("x.safetensors"), "--dataset", "msrvtt").Fails(2, "--annotations");
        Export("int8", folder.File("x.safetensors"), "--captions", data.Captions).Fails(2, "give --clip");
        Export("int4", folder.File("x.safetensors")).Fails(2, "int4");
        Assert.False(File.Exists(folder.File("x.safetensors")));

        CommandResult Export(string precision, string output, params string[] more) =>
            CommandLine.Run(["export", "--adapter", adapter, "--precision", precision, "--output", output, .. more]);
    }

    private string Write(string method)
    {
        using var backbone = clip.Load();
        using var model = MovedAdapter.Create(backbone, method);
        var path = folder.File($"{method}.safetensors");
        AdapterCheckpoint.Save(path, model);
        return path;
    }

    private Dictionary<string, float[]> Embed(string name, params string[] model)
    {
        var texts = folder.Write("texts.txt", "a man is riding a bike\nthe dog\n");
        CommandLine.Run(["embed", .. model, "--videos", clip.Video, data.Video(1), "--texts", texts, "--output", folder.File(name)]).Succeeds();
        return Safetensors.Read(folder.File(name)).Tensors.ToDictionary(item => item.Key, item => item.Value.ToFloats());
    }
}
