using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>Clips of one video, read in passes over it.</summary>
public sealed class VideoPartsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly VideoReader reader = new(new ImageProcessor(32), new FrameSampling { MaxFrames = 4, FramesPerSecond = 2 });

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("seekable.mp4")]
    [InlineData("not.mkv")]
    [InlineData("guessed.avi")]
    public void They_have_the_frames_that_reading_each_by_itself_takes(string name)
    {
        var video = Ffmpeg.Make(folder.File(name), "testsrc=d=30:s=64x48:r=10", "-pix_fmt", "yuv420p", "-g", "25");
        VideoClip[][] videos =
        [
            [.. Enumerable.Range(0, 14).Select(i => new VideoClip(video, 2 * i, 2 * i + 3.5))],
            [new VideoClip(video)],
            [.. Enumerable.Range(0, 3).Select(i => new VideoClip(video, 15 + i, 15.95 + i))],
        ];
        Same(reader.Read(videos.SelectMany(clips => clips)), reader.ReadVideos(videos));
    }

    [Fact]
    public void What_a_cut_off_video_still_has_is_read_and_the_rest_tells_why_not()
    {
        var whole = File.ReadAllBytes(Ffmpeg.Make(folder.File("whole.mkv"), "testsrc=d=20:s=64x48:r=10", "-pix_fmt", "yuv420p"));
        var cut = folder.Write("cut.mkv", whole[..(whole.Length * 6 / 10)]);
        var absent = folder.File("absent.mp4");
        var frames = reader.ReadVideos([Clips(cut), Clips(absent)]).ToList();
        Assert.Equal(10, frames.Count);
        Assert.Null(frames[0].Error);
        Assert.NotNull(frames[4].Error);
        Assert.All(frames.Skip(5), frame => Assert.Contains("no such file", frame.Error!.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void Leaving_early_ends_the_decoders()
    {
        var video = Ffmpeg.Make(folder.File("long.mkv"), "testsrc=d=60:s=64x48:r=10", "-pix_fmt", "yuv420p");
        var threads = Enumerable.Repeat(Enumerable.Range(0, 30).Select(i => new VideoClip(video, 2 * i, 2 * i + 2)).ToArray(), 50);
        Assert.Equal(video, reader.ReadVideos(threads).First().Clip.Path);   // returns only when they have ended
        using var cancelled = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            foreach (var _ in reader.ReadVideos(threads, cancelled.Token)) cancelled.Cancel();
        });
    }

    private static VideoClip[] Clips(string video) => [.. Enumerable.Range(0, 5).Select(i => new VideoClip(video, 4 * i, 4 * i + 4))];

    private static void Same(IEnumerable<VideoFrames> expected, IEnumerable<VideoFrames> actual)
    {
        var pairs = expected.Zip(actual).ToList();
        Assert.All(pairs, pair =>
        {
            Assert.Equal(pair.First.Clip, pair.Second.Clip);
            Assert.Null(pair.Second.Error);
            Assert.Equal(pair.First.Taken.Numbers, pair.Second.Taken.Numbers);
            Assert.Equal(pair.First.Pixels, pair.Second.Pixels);
        });
        Assert.Equal(18, pairs.Count);
    }
}
