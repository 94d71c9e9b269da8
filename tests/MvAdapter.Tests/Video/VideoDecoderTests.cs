using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class VideoDecoderTests : IDisposable
{
    private const string Small = "testsrc=d=2:s=64x48:r=10";
    private static readonly FrameSampling AllFrames = new() { FramesPerSecond = FrameSampling.AllFrames, MaxFrames = 1000 };
    private readonly TemporaryFolder folder = new();
    private readonly VideoDecoder decoder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(FrameRule.Published, new[] { 0, 2, 6, 12, 14, 20, 24, 30, 32, 36, 42, 46 })]
    [InlineData(FrameRule.Time, new[] { 0, 2, 8, 12, 15, 20, 25, 30, 32, 38, 42, 48 })]
    public void Decodes_exactly_the_frames_asked_for(FrameRule rule, int[] numbers)
    {
        // A lossless file in which every pixel of frame n is grey of value 5 n.
        var path = Ffmpeg.Make(folder.File("grey.mkv"), "color=black:s=16x16:r=10:d=5,format=gray,geq=lum='5*N'", "-c:v", "ffv1");
        var (taken, frames) = Decode(path, new FrameSampling { FramesPerSecond = 4, Rule = rule });
        Assert.Equal(numbers, taken.Numbers);
        Assert.Equal(taken.Numbers.Select(number => 5 * number), frames.Select(frame => (int)frame.Rgb[100]));
        Assert.Equal(numbers[2] / 10.0, taken.Times[2], 9);
    }

    [Theory]
    [InlineData("-c:v", "libx264", "-bf", "3", "-g", "30")]
    [InlineData("-c:v", "libx264", "-bf", "3", "-x264-params", "open-gop=1:keyint=30")]
    [InlineData("-c:v", "mpeg4", "-bf", "2", "-g", "12")]
    public void A_late_start_gives_the_same_frames_as_reading_through(params string[] codec)
    {
        var path = folder.File("long.mp4");
        Ffmpeg.Run(["-f", "lavfi", "-i", "testsrc=d=20:s=64x48:r=10", "-f", "lavfi", "-i", "sine=d=20", "-pix_fmt", "yuv420p", .. codec, path]);
        var (_, all) = Decode(path, AllFrames);
        Assert.True(decoder.Probe(path).IsSeekable);
        // Key frames stand at 12 and 15 seconds: start before, at and after one.
        foreach (var first in new[] { 119, 120, 121, 148, 149, 150, 151, 153, 199 })
        {
            var (taken, late) = Decode(new VideoClip(path, first / 10.0), AllFrames with { MaxFrames = 3 });
            Assert.Equal(first, taken.Numbers[0]);
            Assert.All(late, (frame, i) => Assert.Equal(all[taken.Numbers[i]].Rgb, frame.Rgb));
        }
    }

    [Theory]
    [InlineData("a.avi")]
    [InlineData("a.mkv")]
    [InlineData("a.ts")]
    public void A_late_start_needs_no_seeking(string name)
    {
        var path = Ffmpeg.Make(folder.File(name), "testsrc=d=15:s=64x48:r=10", "-c:v", "mpeg4");
        var (_, all) = Decode(path, AllFrames);
        var (taken, late) = Decode(new VideoClip(path, 12.3), AllFrames with { MaxFrames = 2, Strategy = FrameStrategy.Head });
        Assert.Equal([123, 124], taken.Numbers);
        Assert.All(late, (frame, i) => Assert.Equal(all[123 + i].Rgb, frame.Rgb));
    }

    [Fact]
    public void Applies_the_rotation_for_display()
    {
        var plain = Ffmpeg.Make(folder.File("plain.mp4"), Small, "-pix_fmt", "yuv420p");
        var rotated = Ffmpeg.Turn(plain, folder.File("rotated.mp4"));
        var upright = Decode(plain, new FrameSampling()).Frames[0];

        var turned = Decode(rotated, new FrameSampling()).Frames[0];

        Assert.Equal((48, 64), (turned.Width, turned.Height));
        // Versions of ffmpeg write the tag with either sign.
        var clockwise = Difference(turned, (x, y) => upright.At(y, 47 - x));
        var counterclockwise = Difference(turned, (x, y) => upright.At(63 - y, x));
        Assert.True(Math.Min(clockwise, counterclockwise) < 3, $"differs by {clockwise} and {counterclockwise}");
    }

    [Theory]
    [InlineData("testsrc=s=1x1:r=10:d=0.1", 1, 1)]
    [InlineData("testsrc=s=37x53:r=10:d=0.2", 37, 53)]
    [InlineData("testsrc=s=3000x2:r=10:d=0.1", 3000, 2)]
    public void Decodes_odd_sizes(string source, int width, int height)
    {
        var path = Ffmpeg.Make(folder.File("odd.mkv"), source, "-c:v", "ffv1");
        var frame = Assert.Single(Decode(path, new FrameSampling()).Frames);
        Assert.Equal((width, height), (frame.Width, frame.Height));
        Assert.Equal(width * height * 3, frame.Rgb.Length);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public void Decodes_8K()
    {
        var path = Ffmpeg.Make(folder.File("8k.mp4"), "color=red:s=7680x4320:r=10:d=0.2", "-c:v", "mjpeg");
        var frame = Assert.Single(Decode(path, new FrameSampling()).Frames);
        Assert.Equal((7680, 4320), (frame.Width, frame.Height));
        Assert.InRange(frame.At(7679, 4319), 250, 255);
    }

    [Theory]
    [InlineData("one.mp4", "testsrc=s=64x48:r=10:d=0.1", 1)]
    [InlineData("short.mp4", "testsrc=s=64x48:r=25:d=0.2", 1)]
    [InlineData("short.gif", "testsrc=s=64x48:r=10:d=2", 2)]
    [InlineData("a.ts", Small, 2)]
    [InlineData("a.webm", Small, 2)]
    [InlineData("a.avi", Small, 2)]
    [InlineData("a.flv", Small, 2)]
    [InlineData("a.wmv", Small, 2)]
    [InlineData("a.mpg", "testsrc=d=2:s=64x48:r=25", 2)]
    [InlineData("a.m4v", "testsrc=d=2:s=64x48:r=25", 2)]
    public void Decodes_common_containers_and_short_videos(string name, string source, int frames)
    {
        var path = Ffmpeg.Make(folder.File(name), source);
        Assert.Equal(frames, Decode(path, new FrameSampling()).Frames.Count);
    }

    [Fact]
    public void Samples_a_varying_rate_over_the_whole_video()
    {
        // Two seconds at 20 frames a second, then two seconds at 2.
        var path = Ffmpeg.Make(folder.File("varying.mp4"), "testsrc=d=4:s=64x48:r=20,select='lt(t,2)+not(mod(n,10))'", "-vsync", "vfr", "-bf", "0");
        var taken = Decode(path, AllFrames).Taken;
        Assert.Equal(Enumerable.Range(0, 44), taken.Numbers);
        Assert.Equal(4, Decode(path, new FrameSampling()).Taken.Numbers.Count);
    }

    [Theory]
    [InlineData("with space.mp4")]
    [InlineData("quote's \"two\".mp4")]
    [InlineData("new\nline.mp4")]
    [InlineData("-i.mp4")]
    [InlineData("видео 映像 é.mp4")]
    [InlineData("http:example.org.mp4")]
    [InlineData("concat:a|b.mp4")]
    [InlineData("%03d.mp4")]
    [InlineData("$(id);`id`.mp4")]
    public void Reads_a_file_whatever_its_name(string name)
    {
        var plain = Ffmpeg.Make(folder.File("plain.mp4"), Small);
        File.Move(plain, folder.File(name));
        Assert.Equal(2, Decode(folder.File(name), new FrameSampling()).Frames.Count);
    }

    [Fact]
    public void An_address_is_only_a_missing_file() =>
        Assert.EndsWith("no such file", Refuse("http://127.0.0.1:9/video.mp4"), StringComparison.Ordinal);

    [Fact]
    public void A_playlist_cannot_open_other_files()
    {
        Ffmpeg.Make(folder.File("secret.ts"), Small);
        var hls = folder.Write("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.ts\n#EXT-X-ENDLIST\n");
        var concat = folder.Write("concat.mp4", "ffconcat version 1.0\nfile secret.ts\n");
        Assert.Contains("is a playlist", Refuse(hls), StringComparison.Ordinal);
        Assert.Contains("is a list for ffmpeg", Refuse(concat), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_what_is_no_video()
    {
        var garbage = new byte[100_000];
        new Random(4).NextBytes(garbage);
        Assert.Contains("empty", Refuse(folder.Write("empty.mp4", [])), StringComparison.Ordinal);
        Assert.Contains("not a video", Refuse(folder.Write("garbage.mp4", garbage)), StringComparison.Ordinal);
        Assert.Contains("not a video", Refuse(folder.Write("text.mp4", "hello\n")), StringComparison.Ordinal);
        Assert.Contains("folder", Refuse(folder.Path), StringComparison.Ordinal);
        Assert.Contains("no such file", Refuse(folder.File("absent.mp4")), StringComparison.Ordinal);
        Assert.Contains("audio only", Refuse(Ffmpeg.Make(folder.File("sound.mp4"), "sine=d=1")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cut.mp4", "-movflags", "faststart")]
    [InlineData("cut.mkv", "-c:v", "mpeg4")]
    public void Refuses_half_a_video(string name, params string[] output)
    {
        var path = Ffmpeg.Make(folder.File("whole" + Path.GetExtension(name)), "testsrc=d=6:s=64x48:r=10", output);
        var bytes = File.ReadAllBytes(path);
        Assert.Matches("only [0-9]+ of 60 frames can be decoded", Refuse(folder.Write(name, bytes[..(bytes.Length * 6 / 10)])));
    }

    [Fact]
    public void Refuses_a_video_whose_index_is_cut_off()
    {
        var bytes = File.ReadAllBytes(Ffmpeg.Make(folder.File("whole.mp4"), Small));
        Assert.Contains("moov atom not found", Refuse(folder.Write("cut.mp4", bytes[..(bytes.Length / 2)])), StringComparison.Ordinal);
    }

    [Fact]
    public void Samples_again_when_the_sound_lasts_longer_than_the_pictures()
    {
        // Without a frame count or a duration of its own, the stream seems to last as long as the file.
        var path = folder.File("long-sound.flv");
        Ffmpeg.Run(["-f", "lavfi", "-i", Small, "-f", "lavfi", "-i", "sine=d=20", "-c:v", "flv1", path]);
        Assert.True(decoder.Probe(path).FrameCount > 100);
        Assert.Equal([0, 10], Decode(path, new FrameSampling()).Taken.Numbers);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public void Refuses_frames_too_large_for_memory()
    {
        var path = Ffmpeg.Make(folder.File("huge.mkv"), "color=red:s=16400x8200:r=1:d=1,format=gray", "-c:v", "ffv1");
        Assert.Contains("16400x8200", Refuse(path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-1.0, null)]
    [InlineData(double.NaN, null)]
    [InlineData(1.0, 0.5)]
    [InlineData(50.0, null)]
    public void Refuses_impossible_times(double start, double? end)
    {
        var path = Ffmpeg.Make(folder.File("a.mp4"), Small);
        var error = Assert.Throws<VideoException>(() => Decode(new VideoClip(path, start, end), new FrameSampling()));
        Assert.DoesNotContain('\n', error.Message);
        Assert.Contains("the clip", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Says_what_to_install_when_ffmpeg_is_missing()
    {
        var path = Ffmpeg.Make(folder.File("a.mp4"), Small);
        var decoder = new VideoDecoder(new VideoDecoderOptions { Ffprobe = "no-such-ffprobe" });
        var error = Assert.Throws<MvAdapterException>(() => decoder.Probe(path));
        Assert.Contains("apt-get install ffmpeg", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Kills_a_program_that_does_nothing()
    {
        var stuck = Script.Write(folder, "stuck", "exec sleep 100\n");
        var path = folder.Write("a.mp4", "anything");
        var decoder = new VideoDecoder(new VideoDecoderOptions { Ffprobe = stuck, Patience = TimeSpan.FromSeconds(0.3) });
        var error = Assert.Throws<VideoException>(() => decoder.Probe(path));
        Assert.Contains("given up", error.Message, StringComparison.Ordinal);
    }

    private string Refuse(string path)
    {
        var error = Assert.Throws<VideoException>(() => Decode(path, new FrameSampling()));
        Assert.DoesNotContain('\n', error.Message);
        return error.Message;
    }

    private (TakenFrames Taken, List<Frame> Frames) Decode(string path, FrameSampling sampling) => Decode(new VideoClip(path), sampling);

    private (TakenFrames Taken, List<Frame> Frames) Decode(VideoClip clip, FrameSampling sampling)
    {
        var frames = new List<Frame>();
        var taken = decoder.Decode(clip, sampling, (index, rgb, width, height) =>
        {
            if (index == 0) frames.Clear();
            frames.Add(new Frame(rgb.ToArray(), width, height));
        });
        Assert.Equal(taken.Numbers.Count, frames.Count);
        return (taken, frames);
    }

    private static double Difference(Frame frame, Func<int, int, byte> expectedRed)
    {
        var sum = 0.0;
        for (var y = 0; y < frame.Height; y++)
            for (var x = 0; x < frame.Width; x++) sum += Math.Abs(frame.At(x, y) - expectedRed(x, y));
        return sum / (frame.Width * frame.Height);
    }

    private sealed record Frame(byte[] Rgb, int Width, int Height)
    {
        public byte At(int x, int y) => Rgb[(y * Width + x) * 3];
    }
}
