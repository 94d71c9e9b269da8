using System.Diagnostics;
using MvAdapter.Datasets;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Datasets;

public sealed class MovingShapesTests : IDisposable
{
    private static readonly MovingShapesSettings Settings = new() { Videos = 3, TestPairs = 3, ValPairs = 1, Seed = 9 };

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Theory]
    [InlineData(ShapeLevel.Easy)]
    [InlineData(ShapeLevel.Hard)]
    public async Task The_videos_of_a_pair_decode_to_the_same_frames_in_opposite_order(ShapeLevel level)
    {
        var folder = temporary.File("shapes");
        await MovingShapes.MakeAsync(folder, Settings with { Level = level });

        var dataset = Load(folder, Split.Test);

        Assert.Equal(Settings.TestPairs, dataset.ReversalPairs.Count);
        foreach (var pair in dataset.ReversalPairs)
        {
            var video = DecodedFrames(dataset.Samples[pair.Video].VideoPath);
            var reversed = DecodedFrames(dataset.Samples[pair.Reversed].VideoPath);
            Assert.Equal(video, Enumerable.Reverse(reversed));
            Assert.NotEqual(video, reversed);
            Assert.NotEqual(video[0], video[^1]);
            foreach (var count in (int[])[1, 4, 8, 12]) Assert.Equal(Sampled(video, count), Enumerable.Reverse(Sampled(reversed, count)));
        }
    }

    [Fact]
    public async Task The_same_settings_give_the_same_bytes()
    {
        await MovingShapes.MakeAsync(temporary.File("a"), Settings);
        await MovingShapes.MakeAsync(temporary.File("b"), Settings);
        await MovingShapes.MakeAsync(temporary.File("c"), Settings with { Seed = 10 });

        var (a, b, c) = (Contents("a"), Contents("b"), Contents("c"));
        Assert.Equal(3 + 2 * (3 + 1) + 2, a.Count);
        Assert.Equal(a, b);
        Assert.NotEqual(a["captions.jsonl"], c["captions.jsonl"]);
        Assert.NotEqual(a["videos/train/00000.mp4"], c["videos/train/00000.mp4"]);
    }

    [Fact]
    public async Task Loads_by_name_with_one_caption_a_video()
    {
        await MovingShapes.MakeAsync(temporary.Path, Settings);

        Assert.Equal((3, 2, 6), (Load(temporary.Path, Split.Train).Samples.Count, Load(temporary.Path, Split.Val).Samples.Count, Load(temporary.Path, Split.Test).Samples.Count));
        Assert.All(Load(temporary.Path, Split.Test).Samples, sample => Assert.Contains(" and then ", Assert.Single(sample.Captions), StringComparison.Ordinal));
        Assert.Empty(Load(temporary.Path, Split.Train).ReversalPairs);
    }

    [Fact]
    public async Task An_interrupted_call_is_taken_up_where_it_stopped()
    {
        await MovingShapes.MakeAsync(temporary.File("whole"), Settings);
        var folder = temporary.File("cut");
        using var stop = new CancellationTokenSource();
        var progress = new Progress(done => { if (done >= 3) stop.Cancel(); });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => MovingShapes.MakeAsync(folder, Settings, progress, stop.Token));

        Assert.Contains("not finished", Assert.Throws<InvalidFileException>(() => Load(folder, Split.Train)).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(folder, "*.part", SearchOption.AllDirectories));
        // What a killed process leaves: a video that was being written.
        temporary.Write("cut/videos/test/00001.mp4.part", "half");
        var finished = Directory.EnumerateFiles(folder, "*.mp4", SearchOption.AllDirectories).ToDictionary(path => path, File.GetLastWriteTimeUtc);
        Assert.NotEmpty(finished);

        await MovingShapes.MakeAsync(folder, Settings);

        Assert.Equal(Contents("whole"), Contents("cut"));
        Assert.All(finished, item => Assert.Equal(item.Value, File.GetLastWriteTimeUtc(item.Key)));
    }

    [Fact]
    public async Task Progress_counts_every_video()
    {
        var reports = new List<(int Done, int Total)>();
        await MovingShapes.MakeAsync(temporary.Path, Settings, new Progress(reports));
        Assert.All(reports, report => Assert.Equal(11, report.Total));
        Assert.Equal(11, reports.Max(report => report.Done));
    }

    [Fact]
    public async Task A_folder_of_other_settings_is_refused()
    {
        var settings = Settings with { Videos = 1, TestPairs = 1 };
        await MovingShapes.MakeAsync(temporary.Path, settings);
        var before = Contents("");

        var error = await Assert.ThrowsAsync<InvalidFileException>(() =>
            MovingShapes.MakeAsync(temporary.Path, settings with { Seed = 2, Level = ShapeLevel.Hard }));

        Assert.Contains("made with other settings (seed 9, not 2; level easy, not hard)", error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Contents(""));
    }

    [Fact]
    public async Task A_folder_of_other_files_is_refused()
    {
        temporary.Write("thesis.txt", "mine");
        var error = await Assert.ThrowsAsync<InvalidFileException>(() => MovingShapes.MakeAsync(temporary.Path, Settings));
        Assert.Contains("holds other files", error.Message, StringComparison.Ordinal);
        Assert.Equal(["thesis.txt"], Contents("").Keys);
    }

    [Fact]
    public async Task A_file_in_the_folder_s_place_is_one_line()
    {
        var error = await Assert.ThrowsAsync<InvalidFileException>(() => MovingShapes.MakeAsync(temporary.Write("file", ""), Settings));
        Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
    }

    private static Dataset Load(string folder, Split split) =>
        DatasetSource.Load("moving-shapes", new DatasetOptions { Annotations = folder, Split = split, Strict = true });

    private SortedDictionary<string, string> Contents(string folder)
    {
        var root = temporary.File(folder);
        return new(Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).ToDictionary(
            path => Path.GetRelativePath(root, path), path => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))));
    }

    /// <summary>The frames as hashes of their RGB pixels, through a decoder that is not ours.</summary>
    private static List<string> DecodedFrames(string path)
    {
        var start = new ProcessStartInfo("ffmpeg") { RedirectStandardOutput = true };
        foreach (var argument in (string[])["-nostdin", "-v", "error", "-i", path, "-pix_fmt", "rgb24", "-f", "framehash", "-hash", "sha256", "-"])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var lines = process.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return [.. lines.Where(line => !line.StartsWith('#')).Select(line => line.Split(',')[^1].Trim())];
    }

    /// <summary>Frames at the middles of equal parts, in whole numbers.</summary>
    private static List<string> Sampled(List<string> frames, int count) =>
        [.. Enumerable.Range(0, count).Select(i => frames[(2 * i + 1) * frames.Count / (2 * count)])];

    /// <summary>Reports at once, where the framework's own would report some time later.</summary>
    private sealed class Progress(Action<int> report) : IProgress<(int Done, int Total)>
    {
        private readonly List<(int, int)> _reports = [];

        public Progress(List<(int, int)> reports) : this(_ => { }) => _reports = reports;

        public void Report((int Done, int Total) value)
        {
            lock (_reports) _reports.Add(value);
            report(value.Done);
        }
    }
}
