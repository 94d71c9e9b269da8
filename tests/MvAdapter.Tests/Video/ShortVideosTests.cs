using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>Short videos, which one ffmpeg decodes together.</summary>
public sealed class ShortVideosTests : IDisposable
{
    private static readonly ImageProcessor Processor = new(32);
    private static readonly FrameSampling Sampling = new() { MaxFrames = 4, FramesPerSecond = 3 };
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void They_have_the_frames_that_reading_each_by_itself_takes()
    {
        var clips = Videos();
        Same(clips.Select(clip => Reader().Read(clip)), Reader().Read(clips));
    }

    [Fact]
    public void They_share_programs()
    {
        var starts = folder.File("starts");
        var counting = Script.Write(folder, "counting", $"echo >> '{starts}'\nexec ffmpeg \"$@\"\n");
        var clips = Enumerable.Repeat(Videos()[0], 20).ToList();
        Assert.Equal(20, Reader(counting, parallelism: 2).Read(clips).Count(video => video.Error is null));
        Assert.Equal(7, File.ReadAllLines(starts).Length);   // for 1, 1, 2, 2, 4, 4 and the 6 that are left
    }

    [Fact]
    public void A_bad_one_spoils_no_other_and_is_named()
    {
        var good = Videos();
        string Half(string path)
        {
            var whole = File.ReadAllBytes(path);
            return folder.Write("half-" + Path.GetFileName(path), whole[..(whole.Length / 2)]);
        }
        string Rubbish(string path)
        {
            var whole = File.ReadAllBytes(path);
            new Random(1).NextBytes(whole.AsSpan(whole.Length / 3));
            return folder.Write("rubbish-" + Path.GetFileName(path), whole);
        }
        var fast = Ffmpeg.Make(folder.File("fast.mp4"), "testsrc2=d=4:s=96x64:r=20", "-pix_fmt", "yuv420p", "-movflags", "+faststart");
        VideoClip[] bad =
        [
            new(folder.Write("text.mp4", "not a video")), new(folder.File("absent.mp4")), new(good[1].Path, 99),
            new(Half(good[0].Path)), new(Half(fast)), new(Half(good[1].Path)), new(Half(good[2].Path)), new(Rubbish(fast)), new(Rubbish(good[1].Path)),
        ];
        VideoClip[] clips = [.. good, .. bad.SelectMany((clip, i) => new[] { clip, good[i] })];
        var alone = clips.Select(clip => Reader().Read(clip)).ToList();
        Same(alone, Reader().Read(clips));
        Assert.InRange(alone.Count(video => video.Error is not null), 6, bad.Length);
        Assert.Contains("text.mp4", alone[good.Count].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Large_pictures_go_alone()
    {
        string Make(string name, string size) => Ffmpeg.Make(folder.File(name), $"testsrc2=d=0.5:s={size}:r=6", "-pix_fmt", "yuv420p");
        var (large, small) = (new VideoClip(Make("large.mp4", "2200x2000")), new VideoClip(Make("small.mp4", "48x48")));
        VideoClip[] clips = [small, large, small, small, small, large, small];
        var starts = folder.File("starts");
        var counting = Script.Write(folder, "counting", $"echo >> '{starts}'\nexec ffmpeg \"$@\"\n");
        Same(clips.Select(clip => Reader().Read(clip)), Reader(counting).Read(clips));
        // One; then two of which the large one would be too much, so each alone; then four, of which the three small ones go together.
        Assert.Equal(1 + 2 + 2, File.ReadAllLines(starts).Length);
    }

    [Theory]
    [InlineData("")]                                                      // says nothing at all
    [InlineData("for a in \"$@\"; do case $a in file:/proc/*) printf 'P6\\n1 x\\n' > ${a#file:};; esac; done")]
    [InlineData("for a in \"$@\"; do case $a in file:/proc/*) cat /dev/zero > ${a#file:};; esac; done")]
    [InlineData("kill -9 $$")]
    public void A_program_that_fails_with_several_is_started_for_each(string failure)
    {
        var script = Script.Write(folder, "fails", $"case \"$*\" in *pipe:1) exec ffmpeg \"$@\";; esac\n{failure}\n");
        var clips = Videos();
        Same(clips.Select(clip => Reader().Read(clip)), Reader(script).Read(clips));
    }

    [Fact]
    public void Leaving_ends_their_program()
    {
        var pids = folder.File("pids");
        var stuck = Script.Write(folder, "stuck", $"case \"$*\" in *pipe:1) exec ffmpeg \"$@\";; esac\necho $$ >> '{pids}'\nexec sleep 100\n");
        using (var videos = Reader(stuck, parallelism: 2).Read(Videos()).GetEnumerator())
        {
            Assert.True(videos.MoveNext() && videos.MoveNext());   // the first, which go alone; the next two are begun
            Assert.True(SpinWait.SpinUntil(() => File.Exists(pids) && File.ReadAllLines(pids).Length > 0, TimeSpan.FromSeconds(20)));
        }
        Assert.All(File.ReadAllLines(pids), pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    [Fact]
    public void Cancelling_ends_their_program_within_a_second()
    {
        var pids = folder.File("pids");
        var stuck = Script.Write(folder, "stuck", $"case \"$*\" in *pipe:1) exec ffmpeg \"$@\";; esac\necho $$ >> '{pids}'\nexec sleep 100\n");
        var clips = Videos();
        using var cancellation = new CancellationTokenSource();
        var reading = Task.Run(() => Reader(stuck).Read(clips, cancellation.Token).ToList());
        Assert.True(SpinWait.SpinUntil(() => File.Exists(pids) && File.ReadAllLines(pids).Length > 0, TimeSpan.FromSeconds(20)));
        var watch = Stopwatch.StartNew();
        cancellation.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => reading.GetAwaiter().GetResult());
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(1), $"took {watch.Elapsed}");
        Assert.All(File.ReadAllLines(pids), pid => Assert.False(Directory.Exists($"/proc/{pid}")));
    }

    [Fact]
    public void Groups_keep_the_order_and_their_bounds()
    {
        var (small, large) = (folder.Write("small", new byte[1 << 20]), folder.Write("large", new byte[3 << 20]));
        File.CreateSymbolicLink(folder.File("link"), large);
        var kinds = new Dictionary<char, IReadOnlyList<VideoClip>>
        {
            ['s'] = [new(small)], ['t'] = [new(folder.Write("tiny", "x"))], ['l'] = [new(large)], ['a'] = [new(folder.File("absent"))],
            ['k'] = [new(folder.File("link"))], ['m'] = [new(small, 0, 1), new(small, 1, 2)], ['\0'] = [new("with a \0 in it")],
        };
        var lists = Arb.From(from length in Gen.Choose(0, 60) from list in Gen.ArrayOf(Gen.Elements(kinds.Keys.ToArray()), length) from decoders in Gen.Choose(1, 4) select (list, decoders));
        Prop.ForAll(lists, drawn =>
        {
            var videos = drawn.list.Select(kind => kinds[kind]).ToList();
            var groups = ShortVideos.Together(videos, drawn.decoders).ToList();
            return groups.SelectMany(group => group).SequenceEqual(videos)
                && groups.All(group => group.Count is >= 1 and <= ShortVideos.Most)
                && groups.All(group => group.Count == 1 || group.All(video => video == kinds['s'] || video == kinds['t']))
                && groups.All(group => group.Count(video => video == kinds['s']) <= 4)
                && groups.Take(drawn.decoders).All(group => group.Count == 1);
        }).QuickCheckThrowOnFailure();
    }

    private static VideoReader Reader(string ffmpeg = "ffmpeg", int parallelism = 1) =>
        new(Processor, Sampling, new VideoDecoder(new VideoDecoderOptions { Ffmpeg = ffmpeg }), parallelism);

    // More than the first groups, which are single; of several containers, codecs, sizes and rates.
    private List<VideoClip> Videos()
    {
        string Make(string name, string source, params string[] output) => Ffmpeg.Make(folder.File(name), source, [.. output, "-pix_fmt", "yuv420p"]);
        string[] paths =
        [
            Make("a.mp4", "testsrc=d=2:s=64x48:r=10"), Make("b.mkv", "testsrc2=d=1:s=32x64:r=25"), Make("c.avi", "mandelbrot=s=48x32:r=12", "-t", "2"),
            Make("d.webm", "testsrc=d=1:s=48x48:r=8", "-c:v", "libvpx"), Make("e.mp4", "testsrc2=d=3:s=96x40:r=30"),
        ];
        return [.. paths.Concat(paths).Concat(paths).Select(path => new VideoClip(path)), new VideoClip(paths[0], 0.5, 1.5), new VideoClip(paths[4], 1)];
    }

    private static void Same(IEnumerable<VideoFrames> expected, IEnumerable<VideoFrames> actual)
    {
        var (first, second) = (expected.ToList(), actual.ToList());
        Assert.Equal(first.Count, second.Count);
        Assert.All(first.Zip(second), pair =>
        {
            Assert.Equal(pair.First.Clip, pair.Second.Clip);
            Assert.Equal(pair.First.Error?.Message, pair.Second.Error?.Message);
            Assert.Equal(pair.First.Taken.Numbers, pair.Second.Taken.Numbers);
            Assert.Equal(pair.First.Pixels, pair.Second.Pixels);
        });
    }
}
