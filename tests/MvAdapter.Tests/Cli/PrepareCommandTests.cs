using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Cli;

/// <summary>The built program, from outside.</summary>
[Trait("Category", "Slow")]
public sealed class PrepareCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Cache => folder.File("cache");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Killed_at_any_moment_it_goes_on_and_completes()
    {
        var clips = Dataset(16, []);
        var index = Path.Combine(Cache, "frames.index");
        for (var atLeast = 2; atLeast <= 8; atLeast += 3)
        {
            using var process = Start(Arguments("--json"));
            Assert.True(SpinWait.SpinUntil(() => Lines(index) >= atLeast || process.HasExited, TimeSpan.FromMinutes(2)));
            Assert.False(process.HasExited, "it ended before it could be killed");
            process.Kill();
            process.WaitForExit();
        }

        var found = Lines(index);
        var (code, output, error) = Run(Arguments("--json"));

        Assert.True(code == 0, error);
        Assert.DoesNotContain("warning", error, StringComparison.Ordinal);
        var answer = JsonDocument.Parse(output).RootElement;
        Assert.Equal(clips.Count, answer.GetProperty("clips").GetInt32());
        Assert.InRange(answer.GetProperty("added").GetInt32(), 1, clips.Count - found + 1);
        Assert.Equal(clips.Count, Lines(index));
        var reader = new VideoReader(new ImageProcessor(32), new FrameSampling { MaxFrames = 5, FramesPerSecond = 2 });
        using var cache = FrameCache.Open(Cache, reader.Sampling, reader.ImageSize, Assert.Fail);
        Assert.Empty(cache.Missing(clips, verify: true));
        foreach (var clip in clips.Take(3))
        {
            Assert.True(cache.TryRead(clip, out var frames));
            Assert.Equal(reader.Read(clip).Pixels, frames.Pixels);
        }
        Assert.Equal(clips.Count * 5 * 32 * 32 * 3, Directory.GetFiles(Cache, "*.shard").Sum(file => new FileInfo(file).Length));
    }

    [Fact]
    public void Bad_and_missing_videos_are_listed_and_the_code_says_so()
    {
        folder.Write("bad.mp4", "no video");
        Dataset(2, ["bad.mp4", "gone.mp4"]);
        foreach (var added in new[] { 2, 0 })
        {
            var (code, output, error) = Run(Arguments("--json"));
            Assert.Equal(3, code);
            var answer = JsonDocument.Parse(output).RootElement;
            Assert.Equal(added, answer.GetProperty("added").GetInt32());
            Assert.Equal("gone.mp4", Assert.Single(answer.GetProperty("missing").EnumerateArray()).GetString());
            Assert.Equal(folder.File("bad.mp4"), Assert.Single(answer.GetProperty("skipped").EnumerateArray()).GetProperty("video").GetString());
            Assert.Contains("warning: missing gone.mp4", error, StringComparison.Ordinal);
            Assert.Contains($"warning: skipped {folder.File("bad.mp4")}", error, StringComparison.Ordinal);
            Assert.Contains("are free on the disk", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_split_that_has_nothing_is_passed_over_unless_it_is_asked_for()
    {
        Dataset(1, []);
        var captions = folder.Write("two.csv", "video,caption,split\n0.mp4,one,train\n0.mp4,two,test\n");
        string[] arguments = ["prepare", "--dataset", "captions", "--annotations", captions, "--cache", Cache, "--image-size", "32", "--json"];
        var (code, output, error) = Run(arguments);
        Assert.True(code == 0, error);
        Assert.Equal(1, JsonDocument.Parse(output).RootElement.GetProperty("clips").GetInt32());
        (code, _, error) = Run([.. arguments, "--splits", "train,val"]);
        Assert.Equal(1, code);
        Assert.Contains("has no sample of the split val", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--image-size", "0", "size must be from 1")]
    [InlineData("--image-size", "x", "--image-size")]
    [InlineData("--frames", "0", "--frames must be at least 1")]
    [InlineData("--sampling", "random", "unknown strategy")]
    [InlineData("--splits", "train,all", "unknown split 'all'")]
    [InlineData("--clip", "ViT-B/16", "--image-size or --clip")]
    [InlineData("--cache", "", "--cache is empty")]
    public void A_wrong_option_is_one_line(string option, string value, string reason)
    {
        Dataset(1, []);
        string[] arguments = Arguments();
        var at = Array.IndexOf(arguments, option);
        if (at >= 0) arguments[at + 1] = value;
        else arguments = [.. arguments, option, value];
        var (code, output, error) = Run(arguments);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains(reason, Assert.Single(error.TrimEnd('\n').Split('\n')), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Cache));
    }

    private static Process Start(string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "MvAdapter.Cli.dll");
        return Process.Start(new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    private static (int Code, string Output, string Error) Run(string[] arguments)
    {
        using var process = Start(arguments);
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    private static int Lines(string path) => File.Exists(path) ? File.ReadAllBytes(path).Count(value => value == '\n') : 0;

    private string[] Arguments(params string[] more) =>
    [
        "prepare", "--dataset", "captions", "--annotations", folder.File("captions.jsonl"), "--splits", "train", "--cache", Cache,
        "--image-size", "32", "--frames", "5", "--fps", "2", .. more,
    ];

    private List<VideoClip> Dataset(int videos, string[] others)
    {
        var first = Ffmpeg.Make(folder.File("0.mp4"), "testsrc=d=4:s=160x120:r=10");
        var names = Enumerable.Range(0, videos).Select(i => string.Create(CultureInfo.InvariantCulture, $"{i}.mp4")).ToList();
        foreach (var name in names.Skip(1)) File.Copy(first, folder.File(name));
        folder.Write("captions.jsonl", string.Concat(names.Concat(others).Select(name => JsonSerializer.Serialize(new { video = name, caption = "x" }) + "\n")));
        return [.. names.Select(name => new VideoClip(folder.File(name)))];
    }
}
