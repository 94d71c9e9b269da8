using System.Diagnostics;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class VideoReaderTests : IDisposable
{
    private static readonly ImageProcessor Processor = new(16);
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Reads_clips_in_order_and_names_the_bad_one()
    {
        var clips = Enumerable.Range(1, 6)
            .Select(i => new VideoClip(Ffmpeg.Make(folder.File($"{i}.mp4"), $"testsrc=d={i}:s=32x24:r=5"))).ToList();
        clips.Insert(3, new VideoClip(folder.Write("bad.mp4", "not a video")));

        var videos = new VideoReader(Processor, new FrameSampling { MaxFrames = 4 }, parallelism: 3).Read(clips).ToList();

        Assert.Equal(clips, videos.Select(video => video.Clip));
        Assert.Equal([1, 2, 3, 0, 4, 4, 4], videos.Select(video => video.FrameCount));
        Assert.All(videos, video => Assert.Equal(video.FrameCount * Processor.PictureLength, video.Pixels.Length));
        Assert.All(videos, (video, i) => Assert.Equal(i == 3, video.Error is not null));
        Assert.Contains("bad.mp4", videos[3].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Is_lazy_and_runs_ahead_no_further_than_its_decoders()
    {
        var clip = new VideoClip(Ffmpeg.Make(folder.File("a.mp4"), "testsrc=d=1:s=32x24:r=5"));
        var asked = 0;
        IEnumerable<VideoClip> Endless()
        {
            while (true) { asked++; yield return clip; }
        }
        var reader = new VideoReader(Processor, new FrameSampling(), parallelism: 2);
        Assert.Equal(3, reader.Read(Endless()).Take(3).Count());
        Assert.InRange(asked, 3, 1 + 1 + 2 + 2 + 4 + 4);   // two groups that were consumed, four ahead
    }

    [Fact]
    public void A_missing_program_ends_the_reading()
    {
        var decoder = new VideoDecoder(new VideoDecoderOptions { Ffprobe = "no-such-ffprobe" });
        var reader = new VideoReader(Processor, new FrameSampling(), decoder);
        var clip = new VideoClip(folder.Write("a.mp4", "anything"));
        Assert.Throws<MvAdapterException>(() => reader.Read([clip, clip]).ToList());
    }

    [Fact]
    public void Cancelling_ends_the_decoders_within_a_second()
    {
        var pids = folder.File("pids");
        var stuck = Script.Write(folder, "stuck", $"echo $$ >> '{pids}'\nexec sleep 100\n");
        var reader = new VideoReader(Processor, new FrameSampling(), new VideoDecoder(new VideoDecoderOptions { Ffprobe = stuck }), 2);
        var clip = new VideoClip(folder.Write("a.mp4", "anything"));
        using var cancellation = new CancellationTokenSource();
        var watch = new Stopwatch();
        var reading = Task.Run(() => reader.Read([clip, clip, clip], cancellation.Token).ToList());
        Assert.True(SpinWait.SpinUntil(() => File.Exists(pids) && File.ReadAllLines(pids).Length == 2, TimeSpan.FromSeconds(20)));

        watch.Start();
        cancellation.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => reading.GetAwaiter().GetResult());

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"took {watch.Elapsed}");
        Assert.All(File.ReadAllLines(pids), pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    [Fact]
    public void Refuses_no_parallelism() =>
        Assert.Throws<UsageException>(() => new VideoReader(Processor, new FrameSampling(), parallelism: 0));
}
