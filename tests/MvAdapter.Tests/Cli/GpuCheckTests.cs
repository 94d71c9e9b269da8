using System.Diagnostics;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>The table of eng/gpu-check, over parts that do as they are told.</summary>
public sealed class GpuCheckTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Parts_that_pass_make_the_whole_pass_and_the_table_comes_last()
    {
        Part("10-first", "echo noise; echo found this");
        Part("20-second", "echo found that; echo");
        var (code, lines) = Run();
        Assert.Equal(0, code);
        Assert.Equal(["part", "first", "second", "2"], lines.TakeLast(4).Select(line => line.Split(' ')[0]));
        Assert.Contains("found this", lines[^3], StringComparison.Ordinal);
        Assert.Contains("found that", lines[^2], StringComparison.Ordinal);
        Assert.Equal("2 passed, 0 failed, 0 skipped", lines[^1]);
    }

    [Theory]
    [InlineData("echo half; exit 1", "exit code 1: half")]
    [InlineData("echo waits; sleep 30", "ran past 1 s; last it said: waits")]
    [InlineData("kill -SEGV $$", "exit code 139")]
    [InlineData("exec /no/such/program", "exit code 127")]
    public void A_part_that_fails_fails_the_whole_and_the_others_still_run(string script, string said)
    {
        Part("10-bad", script, limit: 1);
        Part("20-good", "echo well");
        var (code, lines) = Run();
        Assert.Equal(1, code);
        Assert.Contains("FAILED", lines[^3], StringComparison.Ordinal);
        Assert.Contains(said, lines[^3], StringComparison.Ordinal);
        Assert.Contains("passed", lines[^2], StringComparison.Ordinal);
        Assert.Equal("1 passed, 1 failed, 0 skipped", lines[^1]);
    }

    [Fact]
    public void What_is_skipped_is_named_with_its_reason()
    {
        Part("10-fixtures", "echo no GPU here; exit 77");
        var (code, lines) = Run();
        Assert.Equal(0, code);
        Assert.Matches("^fixtures +skipped .*no GPU here$", lines[^2]);
        Assert.Equal("0 passed, 0 failed, 1 skipped", lines[^1]);
    }

    [Fact]
    public void Nothing_runs_on_what_was_not_built()
    {
        Part("10-build", "echo no compiler; exit 1");
        Part("20-fixtures", "echo never");
        var (code, lines) = Run();
        Assert.Equal(1, code);
        Assert.Contains("not run: build failed", lines[^2], StringComparison.Ordinal);
        Assert.Equal("0 passed, 2 failed, 0 skipped", lines[^1]);
    }

    [Fact]
    public void Parts_can_be_chosen_and_a_wrong_name_is_refused()
    {
        foreach (var name in new[] { "10-a", "20-b", "30-c" }) Part(name, "echo ran");
        var (code, lines) = Run("--only", "a,c");
        Assert.Equal(0, code);
        Assert.DoesNotContain(lines, line => line.StartsWith("b ", StringComparison.Ordinal));
        Assert.Equal("2 passed, 0 failed, 0 skipped", lines[^1]);
        (code, lines) = Run("--only", "a,x");
        Assert.Equal(2, code);
        Assert.Equal("no part x; there are: a b c", Assert.Single(lines));
    }

    private void Part(string name, string script, int limit = 20) => Script.Write(folder, name, $"# limit: {limit}\n{script}\n");

    private (int Code, string[] Lines) Run(params string[] arguments)
    {
        var start = new ProcessStartInfo("bash", [Path.Combine(Fixtures.Repository, "eng", "gpu-check"), "--parts", folder.Path, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("MVADAPTER_NATIVE");
        var (code, output, error) = CommandLine.Finish(Process.Start(start)!);
        return (code, (output.Length > 0 ? output : error).TrimEnd('\n').Split('\n'));
    }
}
