using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

[Collection("Command line")]
public sealed class PretrainTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Writes_a_clip_that_loads_and_the_same_one_again()
    {
        var (first, again, other) = (folder.File("first"), folder.File("again"), folder.File("other"));
        var said = Pretrain(first, "5").Succeeds().Output;
        Pretrain(again, "5").Succeeds();
        Pretrain(other, "6").Succeeds();

        Assert.Contains("horizontal", said, StringComparison.Ordinal);
        Assert.Equal(
            ["config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "vocab.json"],
            Directory.EnumerateFiles(first).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        using var clip = ClipCheckpoint.Load(first);
        Assert.Equal(ClipTokenizer.Load(first).VocabularySize, clip.Config.VocabularySize);
        Assert.Equal(Weights(first), Weights(again));
        Assert.NotEqual(Weights(first), Weights(other));
    }

    [Theory]
    [InlineData("--steps", "0", "0 steps")]
    [InlineData("--batch", "1", "a batch of 1")]
    [InlineData("--threads", "0", "--threads 0")]
    public void An_impossible_number_is_one_line(string option, string value, string reason)
    {
        CommandLine.Run("pretrain", "--output", folder.File("clip"), option, value).Fails(2, reason);
        Assert.False(Directory.Exists(folder.File("clip")));
    }

    [Fact]
    public void A_file_in_the_folder_s_place_is_one_line() =>
        CommandLine.Run("pretrain", "--output", folder.Write("file", "")).Fails(2, "is a file");

    private static CommandResult Pretrain(string output, string seed) =>
        CommandLine.Run("pretrain", "--output", output, "--steps", "3", "--batch", "8", "--seed", seed, "--threads", "1");

    private static byte[] Weights(string clip) => File.ReadAllBytes(Path.Combine(clip, "model.safetensors"));
}
