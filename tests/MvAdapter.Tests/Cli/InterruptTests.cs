using System.Diagnostics;
using System.Globalization;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>Ctrl-C ends a long work at once and leaves nothing behind.</summary>
[Collection("Command line")]
public sealed class InterruptTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Ctrl_C_ends_the_work_at_once()
    {
        // Many frames to decode for each, so that a decoder is at work whenever the signal comes.
        var video = Ffmpeg.Make(folder.File("long.mp4"), "testsrc=d=30:s=320x240:r=25", "-preset", "ultrafast");
        var list = folder.Write("list.txt", string.Concat(Enumerable.Repeat(video + "\n", 500)));
        var output = folder.File("out.safetensors");
        using var process = CommandLine.Start(["embed", "--clip", clip.Checkpoint, "--video-list", list, "--output", output]);
        Assert.True(SpinWait.SpinUntil(() => Decoders(video).Count > 0 || process.HasExited, TimeSpan.FromSeconds(30)));
        Assert.False(process.HasExited, "the work ended before it could be interrupted");

        var clock = Stopwatch.StartNew();
        Process.Start("kill", ["-s", "INT", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(10)), "still running after 10 seconds");

        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(3));
        Assert.Equal(130, process.ExitCode);
        Assert.False(File.Exists(output));
        Assert.Empty(Directory.EnumerateFiles(folder.Path, ".*"));
        Assert.Empty(process.StandardOutput.ReadToEnd());
        Assert.DoesNotContain("unexpected", process.StandardError.ReadToEnd(), StringComparison.Ordinal);
        Assert.True(SpinWait.SpinUntil(() => Decoders(video).Count == 0, TimeSpan.FromSeconds(2)), "a decoder is still running");
    }

    /// <summary>The running processes that have the video among their arguments.</summary>
    private static List<int> Decoders(string video)
    {
        var found = new List<int>();
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(process, "cmdline")).Contains(video, StringComparison.Ordinal))
                    found.Add(int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It ended while we looked.
            }
        }
        return found;
    }
}
