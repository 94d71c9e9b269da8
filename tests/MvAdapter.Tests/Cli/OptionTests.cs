using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>A mistake in the command is one line and exit code 2; help shows examples.</summary>
[Collection("Command line")]
public sealed class OptionTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("'embedd'", "embedd")]
    [InlineData("--framse", "--framse", "embed", "--framse", "3", "--clip", "x", "--output", "y")]
    [InlineData("--output", "embed", "--clip", "x")]
    [InlineData("--clip", "info")]
    [InlineData("nothing to embed", "embed", "--clip", "x", "--output", "y")]
    [InlineData("fp32", "embed", "--clip", "x", "--output", "y", "--precision", "fp8")]
    [InlineData("many", "embed", "--clip", "x", "--output", "y", "--frames", "many")]
    [InlineData("no preset is called 'msrvt'", "info", "--clip", "ViT-B/16", "--preset", "msrvt")]
    public void A_wrong_command_is_one_line(string reason, params string[] arguments) => CommandLine.Run(arguments).Fails(2, reason);

    [Theory]
    [InlineData("77 tokens", "--words", "5000")]
    [InlineData("at least 3", "--words", "2")]
    [InlineData("at least 1", "--frames", "0")]
    [InlineData("1024", "--frames", "2000")]
    [InlineData("from 1 to 1024", "--threads", "0")]
    [InlineData("is no device", "--device", "tpu")]
    [InlineData("--device cuda:99", "--device", "cuda:99")]
    [InlineData("known are uniform", "--sampling", "random")]
    [InlineData("fps", "--fps", "0")]
    [InlineData("not both", "--preset", "msrvtt", "--adapter-config", "x.json")]
    public void A_value_that_does_not_fit_is_one_line(string reason, params string[] options)
    {
        var output = folder.File("out.safetensors");
        CommandLine.Run(["embed", "--clip", clip.Checkpoint, "--videos", clip.Video, "--output", output, .. options]).Fails(2, reason);
        Assert.False(File.Exists(output));
    }

    [Fact]
    public void The_folder_of_an_output_is_made()
    {
        var output = folder.File("new/deep/out.safetensors");
        CommandLine.Run("embed", "--clip", clip.Checkpoint, "--videos", clip.Video, "--output", output).Succeeds();
        Assert.True(File.Exists(output));
    }

    [Fact]
    public void An_output_that_cannot_be_is_refused_before_the_work()
    {
        CommandLine.Run("embed", "--clip", "absent", "--videos", clip.Video, "--output", "/dev/null/out.safetensors").Fails(2, "cannot be made");
        CommandLine.Run("embed", "--clip", "absent", "--videos", clip.Video, "--output", folder.Path).Fails(2, "is a folder");
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("missing.txt", null, "there is no such file")]
    [InlineData("latin1.txt", "caf\u00e9", "is not UTF-8 text")]
    [InlineData("object.json", "{}", "no JSON array of texts")]
    [InlineData("null.json", "[null]", "no JSON array of texts")]
    [InlineData("cut.json", "[\"a\"", "no JSON array of texts")]
    public void A_bad_list_is_one_line(string name, string? content, string reason)
    {
        if (content is not null) folder.Write(name, System.Text.Encoding.Latin1.GetBytes(content));
        var output = folder.File("out.safetensors");
        CommandLine.Run("embed", "--clip", clip.Checkpoint, "--texts", folder.File(name), "--output", output).Fails(1, reason);
        Assert.False(File.Exists(output));
    }

    [Theory]
    [InlineData("embed")]
    [InlineData("info")]
    [InlineData("doctor")]
    public void Help_shows_examples(string command)
    {
        var result = CommandLine.Run(command, "--help").Succeeds();
        Assert.Contains($"./run {command} [options]", result.Output, StringComparison.Ordinal);
        Assert.Empty(result.Error);
    }

    [Fact]
    public void Without_a_command_the_commands_are_listed()
    {
        var result = CommandLine.Run().Succeeds();
        foreach (var command in new[] { "embed", "info", "doctor" }) Assert.Contains(command, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_version_is_the_products()
    {
        var version = typeof(MvAdapterException).Assembly.GetName().Version!.ToString(3);
        Assert.StartsWith(version, CommandLine.Run("--version").Succeeds().Output, StringComparison.Ordinal);
    }
}
