using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>From published files and real videos to the published code's embeddings, through the command line alone.</summary>
[Collection("Command line")]
[Trait("Category", "Fixtures")]
public sealed class EndToEndFixtureTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("openai", "fp32", 0.9999, 0.999)]
    [InlineData("huggingface", "fp32", 0.9999, 0.999)]
    [InlineData("openai", "bf16", 0.999, 0.999)]
    [InlineData("huggingface", "bf16", 0.999, 0.999)]
    public void The_adapters_embeddings_are_the_published_codes(string form, string precision, double texts, double videos)
    {
        var written = Embed(form, "--adapter", Fixtures.Find("end_to_end/adapter.pth"), "--adapter-config", ConfigPath, "--precision", precision);
        AssertAlike("text_embeddings", written["text_embeddings"], texts);
        AssertAlike("video_embeddings", written["video_embeddings"], videos);
    }

    [Theory]
    [InlineData("openai")]
    [InlineData("huggingface")]
    public void Without_the_adapter_texts_are_zero_shot_CLIPs(string form) =>
        AssertAlike("zero_shot_text_embeddings", Embed(form)["text_embeddings"], 0.9999);

    private static string ConfigPath => Fixtures.Find("end_to_end/config.json");

    private static void AssertAlike(string name, StoredTensor actual, double least) =>
        new StoredTensors(Fixtures.Find("end_to_end/expected.safetensors")).AssertAlike(name, actual.Shape, actual.ToFloats(), least);

    private IReadOnlyDictionary<string, StoredTensor> Embed(string form, params string[] options)
    {
        using var config = JsonDocument.Parse(File.ReadAllText(ConfigPath));
        string[] Strings(string name) => [.. config.RootElement.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];
        string[] clip = form == "openai"
            ? ["--clip", Directory.GetFiles(Fixtures.Find("end_to_end/openai"), "*.pt").Single(), "--vocabulary", Fixtures.Vocabulary]
            : ["--clip", Fixtures.Find("end_to_end/huggingface")];
        string[] limits = ["--frames", $"{config.RootElement.GetProperty("frames")}", "--words", $"{config.RootElement.GetProperty("words")}"];
        var texts = folder.Write("texts.json", JsonSerializer.Serialize(Strings("texts")));
        var output = folder.File("out.safetensors");
        CommandLine.Run(["embed", .. clip, "--videos", .. Strings("videos").Select(Fixtures.Clip), "--texts", texts, .. limits, "--output", output, "--device", $"{TestDevice.Current}", .. options])
            .Succeeds();
        return Safetensors.Read(output).Tensors;
    }
}
