using System.Collections.Concurrent;
using System.Globalization;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class FrameCacheTests(FrameCacheVideos videos) : IClassFixture<FrameCacheVideos>, IDisposable
{
    private const int Size = 16;
    private static readonly FrameSampling Sampling = new() { MaxFrames = 4 };
    private readonly TemporaryFolder folder = new();
    private readonly ConcurrentQueue<string> warnings = new();
    private readonly Dictionary<VideoClip, VideoFrames> direct = [];
    private readonly VideoReader reader = new(new ImageProcessor(Size), Sampling);

    // One that cannot decode: what it gives can only come from the cache.
    private readonly VideoReader blind = new(new ImageProcessor(Size), Sampling, new VideoDecoder(new VideoDecoderOptions { Ffprobe = "no-such-ffprobe" }));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_read_is_bit_for_bit_what_decoding_gives()
    {
        VideoClip[] clips = [Video(1), Video(3), Video(6), Video(6) with { Start = 1.5 }, Video(6) with { Start = 1, End = 4 }];
        using (var cache = OpenOrCreate())
        {
            cache.ShardCap = 5000;
            var report = cache.Prepare(clips, reader);
            Assert.Equal((clips.Length, 0), (report.Written, report.Present));
            Assert.Equal(report.Bytes, Directory.GetFiles(Cache, "*.shard").Sum(file => new FileInfo(file).Length));
            Assert.All(clips, clip => AssertSame(Direct(clip), Read(cache, clip)!));
        }
        Assert.True(Directory.GetFiles(Cache, "*.shard").Length > 1);
        using var reopened = Open();
        Assert.All(clips, clip => AssertSame(Direct(clip), Read(reopened, clip)!));
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_second_call_adds_nothing_and_a_later_one_what_is_new()
    {
        using var cache = OpenOrCreate();
        VideoClip[] clips = [Video(1), Video(2), Video(1)];
        Assert.Equal(2, cache.Prepare(clips, reader).Written);
        Assert.Empty(cache.Missing(clips));
        Assert.Equal((0, 2), (cache.Prepare(clips, blind).Written, cache.Prepare(clips, blind).Present));
        Assert.Equal([Video(3)], cache.Missing([Video(1), Video(3), Video(3)]));
        Assert.Equal((1, 2), (cache.Prepare([.. clips, Video(3)], reader).Written, cache.Prepare(clips, blind).Present));
        Assert.Equal(3, File.ReadLines(Path.Combine(Cache, "frames.index")).Count());
    }

    [Fact]
    public void The_videos_beginning_may_be_named_or_not()
    {
        using var cache = OpenOrCreate();
        cache.Prepare([Video(2)], reader);
        Assert.NotNull(Read(cache, Video(2) with { Start = 0 }));
    }

    [Fact]
    public void What_was_cached_before_rules_had_names_is_found_by_the_rule_by_time()
    {
        Assert.Equal("uniform max_frames=12 fps=1", new FrameSampling { Rule = FrameRule.Time }.CacheKey);
        Assert.Equal("head max_frames=3 fps=all", new FrameSampling { Strategy = FrameStrategy.Head, MaxFrames = 3, FramesPerSecond = FrameSampling.AllFrames }.CacheKey);
        Assert.Equal("uniform max_frames=12 fps=1 rule=published", new FrameSampling().CacheKey);
    }

    [Fact]
    public void Other_settings_find_nothing_and_share_the_folder()
    {
        var clip = Video(6);
        using (var cache = OpenOrCreate()) cache.Prepare([clip], reader);
        (FrameSampling Sampling, int Size)[] others =
            [(Sampling with { MaxFrames = 3 }, Size), (Sampling with { Strategy = FrameStrategy.Head }, Size), (Sampling with { FramesPerSecond = 2 }, Size), (Sampling, 8), (Sampling with { Rule = FrameRule.Time }, Size)];
        foreach (var (sampling, size) in others)
        {
            using var cache = FrameCache.OpenOrCreate(Cache, sampling, size, warnings.Enqueue);
            Assert.Null(Read(cache, clip));
            var own = new VideoReader(new ImageProcessor(size), sampling);
            Assert.Equal(1, cache.Prepare([clip], own).Written);
            AssertSame(own.Read(clip), Read(cache, clip)!);
        }
        using var first = Open();
        Assert.Null(Read(first, clip with { Start = 1 }));
        Assert.Null(Read(first, clip with { End = 5 }));
        AssertSame(Direct(clip), Read(first, clip)!);
        Assert.Equal(1 + others.Length, first.Count);
        Assert.Empty(warnings);
    }

    [Theory]
    [InlineData("size")]
    [InlineData("time")]
    [InlineData("beginning")]
    [InlineData("end")]
    [InlineData("gone")]
    public void A_changed_video_is_not_found(string change)
    {
        var clip = Video(2);
        using (var cache = OpenOrCreate()) cache.Prepare([clip], reader);
        var time = File.GetLastWriteTimeUtc(clip.Path);
        var bytes = File.ReadAllBytes(clip.Path);
        if (change == "size") bytes = [.. bytes, 0];
        if (change == "beginning") bytes[0] ^= 1;
        if (change == "end") bytes[^1] ^= 1;
        File.WriteAllBytes(clip.Path, bytes);
        File.SetLastWriteTimeUtc(clip.Path, change == "time" ? time.AddSeconds(1) : time);
        if (change == "gone") File.Delete(clip.Path);

        using var reopened = Open();
        Assert.Null(Read(reopened, clip));
        Assert.Equal([clip], reopened.Missing([clip]));
    }

    [Fact]
    public void A_change_is_noticed_while_the_cache_is_open()
    {
        using var cache = OpenOrCreate();
        var clip = Video(2);
        cache.Prepare([clip], reader);
        Assert.NotNull(Read(cache, clip));
        Ffmpeg.Make(clip.Path, "testsrc2=d=2:s=32x24:r=5");
        Assert.Null(Read(cache, clip));
        Assert.Equal(1, cache.Prepare([clip], reader).Written);
        AssertSame(Direct(clip), Read(cache, clip)!);
    }

    [Fact]
    public void A_video_that_changes_while_it_is_read_is_skipped()
    {
        using var cache = OpenOrCreate();
        VideoClip[] clips = [Video(1), Video(2), Video(3)];
        var single = new VideoReader(new ImageProcessor(Size), Sampling, parallelism: 1);
        var report = cache.Prepare(clips, single, new Listener(value =>
        {
            if (value.Done == 1) File.SetLastWriteTimeUtc(clips[1].Path, DateTime.UtcNow.AddHours(1));
        }));
        Assert.Equal(2, report.Written);
        Assert.Contains("changed while it was read", Assert.Single(report.Skipped).Message, StringComparison.Ordinal);
        Assert.Equal([clips[1]], cache.Missing(clips));
    }

    [Fact]
    public void Bad_videos_are_named_and_the_others_go_on()
    {
        using var cache = OpenOrCreate();
        VideoClip[] clips = [Video(1), new(folder.Write("bad.mp4", "no video")), new(folder.File("gone.mp4")), new(folder.Path), Video(2), new("nul\0.mp4"), new("")];
        var report = cache.Prepare(clips, reader);
        Assert.Equal(2, report.Written);
        Assert.Equal([clips[1].Path, clips[2].Path, clips[3].Path, clips[5].Path, clips[6].Path], report.Skipped.Select(error => error.Path));
        AssertSame(Direct(clips[4]), Read(cache, clips[4])!);
    }

    [Fact]
    public void Stopped_in_the_middle_it_goes_on_from_there()
    {
        VideoClip[] clips = [Video(1), Video(2), Video(3), Video(4)];
        using var stop = new CancellationTokenSource();
        using (var cache = OpenOrCreate())
            Assert.ThrowsAny<OperationCanceledException>(() => cache.Prepare(clips, reader, new Listener(value => { if (value.Done == 2) stop.Cancel(); }), stop.Token));
        using var reopened = OpenOrCreate();
        var report = reopened.Prepare(clips, reader);
        Assert.Equal((2, 2), (report.Written, report.Present));
    }

    [Fact]
    public void A_second_writer_is_refused_and_readers_are_not()
    {
        VideoClip[] clips = [Video(1), Video(2)];
        using var cache = OpenOrCreate();
        var refused = 0;
        cache.Prepare(clips, reader, new Listener(value =>
        {
            using var second = Open();
            AssertSame(Direct(clips[0]), Read(second, clips[0])!);
            var error = Assert.Throws<MvAdapterException>(() => second.Prepare(clips, reader));
            Assert.Contains("another process is writing", error.Message, StringComparison.Ordinal);
            refused++;
        }));
        Assert.Equal(2, refused);
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_writer_that_was_opened_before_another_wrote_keeps_what_that_one_wrote()
    {
        using var early = OpenOrCreate();
        using (var other = OpenOrCreate()) other.Prepare([Video(1)], reader);
        var report = early.Prepare([Video(1), Video(2)], reader);
        Assert.Equal((1, 1), (report.Written, report.Present));
        using var reopened = Open();
        Assert.All([Video(1), Video(2)], clip => AssertSame(Direct(clip), Read(reopened, clip)!));
    }

    [Fact]
    public async Task Threads_read_while_one_writes()
    {
        var clips = Enumerable.Range(1, 6).Select(Video).ToArray();
        var expected = clips.Select(Direct).ToArray();
        using var cache = OpenOrCreate();
        var writing = Task.Run(() => cache.Prepare(clips, reader));
        Parallel.For(0, 2000, i =>
        {
            if (Read(cache, clips[i % clips.Length]) is { } found) AssertSame(expected[i % clips.Length], found);
        });
        Assert.Equal(clips.Length, (await writing).Written);
        Assert.All(clips, (clip, i) => AssertSame(expected[i], Read(cache, clip)!));
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_source_takes_from_the_cache_what_is_there_and_decodes_the_rest_in_order()
    {
        VideoClip[] clips = [Video(3), new(folder.Write("bad.mp4", "no video")), Video(1), Video(4), Video(2), Video(3)];
        using (var cache = OpenOrCreate()) cache.Prepare([Video(1), Video(3)], reader);

        using (var source = FrameSource.Open(reader, Cache, warn: warnings.Enqueue))
        {
            var videos = source.Read(clips).ToList();
            Assert.Equal(clips, videos.Select(video => video.Clip));
            Assert.NotNull(videos[1].Error);
            Assert.All(videos, (video, i) => AssertSame(Direct(clips[i]), video));
        }
        using (var source = FrameSource.Open(blind, Cache)) Assert.Equal(2, source.Read([Video(3), Video(1)]).Count(video => video.Error is null));
        using (var source = FrameSource.Open(blind, null)) Assert.Throws<MvAdapterException>(() => source.Read(Video(3)));
    }

    [Fact]
    public void A_source_refuses_a_cache_opened_for_other_pictures()
    {
        using var cache = FrameCache.OpenOrCreate(Cache, Sampling, 8);
        Assert.Throws<UsageException>(() => new FrameSource(reader, cache));
        Assert.Throws<UsageException>(() => cache.Prepare([Video(1)], reader));
    }

    [Fact]
    public void A_folder_without_a_cache_is_refused()
    {
        folder.Write("notes/mine.txt", "not a cache");
        Assert.Contains("\"prepare\"", Assert.Throws<InvalidFileException>(() => FrameCache.Open(folder.File("absent"), Sampling, Size)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidFileException>(() => FrameCache.Open(folder.File("notes"), Sampling, Size));
        Assert.Contains("holds other files", Assert.Throws<InvalidFileException>(() => FrameCache.OpenOrCreate(folder.File("notes"), Sampling, Size)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidFileException>(() => FrameCache.OpenOrCreate(folder.File("notes/mine.txt"), Sampling, Size));
        Assert.Single(Directory.GetFileSystemEntries(folder.File("notes")));
    }

    [Fact]
    public void A_full_disk_is_one_line_and_what_is_complete_stays()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mounts a tmpfs");
        Assert.SkipUnless(Mount("-t", "tmpfs", "-o", "size=32k", "tmpfs", Directory.CreateDirectory(Cache).FullName), "a tmpfs cannot be mounted here");
        try
        {
            var large = new VideoReader(new ImageProcessor(48), Sampling);
            VideoClip[] clips = [Video(1), Video(2), Video(3), Video(4)];
            using var cache = FrameCache.OpenOrCreate(Cache, Sampling, 48, warnings.Enqueue);
            var error = Assert.Throws<InvalidFileException>(() => cache.Prepare(clips, large));
            Assert.Contains("cannot be written", error.Message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', error.Message);
            using (var reopened = FrameCache.Open(Cache, Sampling, 48, warnings.Enqueue))
            {
                var there = clips.Except(reopened.Missing(clips)).ToList();
                Assert.InRange(there.Count, 1, 3);
                Assert.All(there, clip => AssertSame(large.Read(clip), Read(reopened, clip)!));
            }
            Assert.True(Mount("-o", "remount,size=1m", Cache));
            cache.Prepare(clips, large);
            Assert.All(clips, clip => AssertSame(large.Read(clip), Read(cache, clip)!));
            Assert.Empty(warnings);
        }
        finally
        {
            using var unmount = System.Diagnostics.Process.Start("umount", ["-l", Cache]);
            unmount.WaitForExit();
        }
    }

    private string Cache => folder.File("cache");

    private static bool Mount(params string[] arguments)
    {
        try
        {
            using var mount = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("mount", arguments) { RedirectStandardError = true })!;
            mount.WaitForExit();
            return mount.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static VideoFrames? Read(FrameCache cache, VideoClip clip) => cache.TryRead(clip, out var frames) ? frames : null;

    private static void AssertSame(VideoFrames expected, VideoFrames actual)
    {
        Assert.Equal(expected.Clip, actual.Clip);
        Assert.Equal(expected.Error?.Message, actual.Error?.Message);
        Assert.Equal(expected.Pixels, actual.Pixels);
        Assert.Equal(expected.Taken.Numbers, actual.Taken.Numbers);
        Assert.Equal(expected.Taken.FramesPerSecond, actual.Taken.FramesPerSecond);
    }

    private FrameCache OpenOrCreate() => FrameCache.OpenOrCreate(Cache, Sampling, Size, warnings.Enqueue);

    private FrameCache Open() => FrameCache.Open(Cache, Sampling, Size, warnings.Enqueue);

    private VideoClip Video(int seconds)
    {
        var path = folder.File(string.Create(CultureInfo.InvariantCulture, $"{seconds}.mp4"));
        if (!File.Exists(path)) File.Copy(videos.PathOf(seconds), path);
        return new VideoClip(path);
    }

    private VideoFrames Direct(VideoClip clip) => direct.TryGetValue(clip, out var found) ? found : direct[clip] = reader.Read(clip);

    private sealed class Listener(Action<FrameCacheProgress> listen) : IProgress<FrameCacheProgress>
    {
        public void Report(FrameCacheProgress value) => listen(value);
    }
}
