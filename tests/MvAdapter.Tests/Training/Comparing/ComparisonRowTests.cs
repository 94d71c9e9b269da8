using MvAdapter.Comparing;
using MvAdapter.Training;

namespace MvAdapter.Tests.Comparing;

/// <summary>How rows are written on the command line.</summary>
public sealed class ComparisonRowTests
{
    private static readonly RunConfig Basis = new() { Settings = """{"bottleneck": 32}""", ClipLr = 1e-3 };

    [Fact]
    public void Settings_after_a_comma_belong_to_the_row_before_and_brackets_keep_theirs()
    {
        var rows = ComparisonRow.ParseAll("full:clip_lr=1e-6, mv-adapter:tied_layers=[-2,-1],temporal=off,bitfit", Basis);
        Assert.Equal(["full (clip_lr 1e-6)", "mv-adapter (tied_layers [-2,-1], temporal off)", "bitfit"], rows.Select(row => row.Name));
        Assert.Equal([1e-6, 1e-3, 1e-3], rows.Select(row => row.Config.ClipLr));
        Assert.Equal(["", """{"bottleneck":32,"tied_layers":[-2,-1],"temporal":false}""", ""], rows.Select(row => row.Config.Settings));
    }

    [Fact]
    public void All_are_all_and_mv_adapter_comes_last()
    {
        var rows = ComparisonRow.ParseAll("all", Basis);
        Assert.Equal(MvAdapter.Adapters.Methods.All.Count, rows.Count);
        Assert.Equal(("zero-shot", "mv-adapter"), (rows[0].Name, rows[^1].Name));
        Assert.Equal(5, ComparisonRow.ParseAll("baselines,lora", Basis).Count);
    }

    [Fact]
    public void Folders_of_different_rows_differ_and_are_plain_names()
    {
        var rows = ComparisonRow.ParseAll("mv-adapter:tied_layers=[-1],mv-adapter:tied_layers=[1],mv-adapter:tying=up/../in,full", Basis);
        Assert.Equal(rows.Count, rows.Select(row => row.FolderName).Distinct().Count());
        Assert.All(rows, row => Assert.Matches("^[a-z0-9_.-]+$", row.FolderName));
        var longest = new ComparisonRow(new string('x', 5000), Basis).FolderName;
        Assert.InRange(longest.Length, 50, 120);
        Assert.NotEqual(longest, new ComparisonRow(new string('x', 4999), Basis).FolderName);
    }

    [Theory]
    [InlineData("ful", "did you mean full?")]
    [InlineData("", "empty place")]
    [InlineData("full,,lora", "empty place")]
    [InlineData("lora:rank", "KEY=VALUE")]
    [InlineData("lora:", "KEY=VALUE")]
    [InlineData("lora:rank=1,rank=2", "sets rank twice")]
    [InlineData("rank=4,lora", "unknown method")]
    [InlineData("full:clip_lr=fast", "clip_lr takes a number")]
    public void A_malformed_row_is_a_usage_error(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<UsageException>(() => ComparisonRow.ParseAll(text, Basis)).Message, StringComparison.Ordinal);
}
