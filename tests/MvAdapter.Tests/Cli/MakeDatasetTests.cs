using MvAdapter.Datasets;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

[Collection("Command line")]
public sealed class MakeDatasetTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Makes_what_the_options_say_and_keeps_what_is_there()
    {
        var data = folder.File("data");
        Make(data).Succeeds();

        var train = DatasetSource.Load("moving-shapes", new DatasetOptions { Annotations = data, Split = Split.Train, Strict = true });
        var test = DatasetSource.Load("moving-shapes", new DatasetOptions { Annotations = data, Split = Split.Test, Strict = true });
        Assert.Equal((2, 2, 1), (train.Samples.Count, test.Samples.Count, test.ReversalPairs.Count));

        var removed = train.Samples[0].VideoPath;
        File.Delete(removed);
        var kept = train.Samples[1].VideoPath;
        var written = File.GetLastWriteTimeUtc(kept);

        Make(data).Succeeds();

        Assert.True(File.Exists(removed));
        Assert.Equal(written, File.GetLastWriteTimeUtc(kept));
    }

    [Fact]
    public void A_folder_of_other_settings_is_refused_in_one_line()
    {
        Make(folder.File("data")).Succeeds();
        Make(folder.File("data"), "--seed", "8").Fails(1, "was made with other settings (seed 7, not 8)");
    }

    [Theory]
    [InlineData("colours", "colours", "1")]
    [InlineData("moving-shapes", "0 training videos", "0")]
    [InlineData("moving-shapes", "many", "many")]
    public void A_wrong_command_is_one_line(string name, string reason, string videos)
    {
        CommandLine.Run("make-dataset", name, "--output", folder.File("data"), "--videos", videos).Fails(2, reason);
        Assert.False(Directory.Exists(folder.File("data")));
    }

    private static CommandResult Make(string path, params string[] others) =>
        CommandLine.Run(["make-dataset", "moving-shapes", "--output", path, "--videos", "2", "--test-pairs", "1", "--val-pairs", "1", .. others.Length > 0 ? others : ["--seed", "7"]]);
}
