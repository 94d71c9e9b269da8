using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class MovHeaderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly VideoProbe probe = new(new VideoDecoderOptions());

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("a.mp4", "25")]
    [InlineData("a.mov", "25")]
    [InlineData("a.mp4", "24000/1001", "-movflags", "faststart")]
    [InlineData("a.mp4", "29.97", "-bf", "0")]
    [InlineData("a.mp4", "30000/1001", "-bf", "3", "-b_strategy", "0", "-movflags", "faststart")]
    [InlineData("a.mov", "12.5", "-profile:v", "baseline")]
    [InlineData("a.mp4", "10", "-profile:v", "main")]
    [InlineData("a.mp4", "60", "-video_track_timescale", "90000")]
    [InlineData("a.mp4", "1")]
    [InlineData("a.mp4", "1000/1001")]
    [InlineData("a.mp4", "240", "-movflags", "faststart")]
    [InlineData("a.mov", "1000", "-frames:v", "200")]
    [InlineData("a.mp4", "25", "-frames:v", "1")]
    [InlineData("a.mp4", "25", "-frames:v", "2", "-an")]
    [InlineData("a.mp4", "25", "-qp", "0")]
    [InlineData("a.mp4", "25", "-vf", "scale=62:46")]
    [InlineData("a.mp4", "25", "-vf", "scale=64:48,setsar=4/3")]
    [InlineData("a.mp4", "25", "-color_range", "pc", "-colorspace", "bt709")]
    [InlineData("a.mp4", "25", "-x264-params", "cqm=jvt")]
    [InlineData("a.mp4", "25", "-movflags", "negative_cts_offsets", "-bf", "0")]
    [InlineData("a.mp4", "25", "-write_tmcd", "0", "-metadata", "title=a", "-metadata:s:a", "language=ger")]
    [InlineData("a.mp4", "25", "-c:a", "mp3")]
    [InlineData("a.mov", "25", "-c:a", "pcm_s16le")]
    public void A_plain_file_is_described_as_ffprobe_does(string name, string rate, params string[] output)
    {
        foreach (var sound in new[] { false, true })
        {
            var path = Make(name, rate, sound, output);
            Assert.Equal(probe.ReadByFfprobe(path, default), MovHeader.Read(path));
        }
    }

    [Theory]
    [InlineData("video7348.mp4")]
    [InlineData("video8914.mp4")]
    [InlineData("video9348.mp4")]
    [Trait("Category", "Fixtures")]
    public void A_real_clip_is_described_as_ffprobe_does(string name)
    {
        var path = Fixtures.Clip(name);
        Assert.Equal(probe.ReadByFfprobe(path, default), MovHeader.Read(path));
    }

    [Theory]
    [InlineData("-ss", "0.5", "-i", "whole", "-c", "copy")]
    [InlineData("-ss", "1.3", "-i", "whole", "-c", "copy")]
    [InlineData("-i", "whole", "-t", "1.23", "-c", "copy")]
    [InlineData("-itsoffset", "0.3", "-i", "whole", "-c", "copy")]
    [InlineData("-i", "whole", "-ss", "0.5", "-i", "whole", "-map", "0:v", "-map", "1:a", "-c", "copy")]
    [InlineData("-i", "whole", "-itsoffset", "0.3", "-i", "whole", "-map", "0:v", "-map", "1:a", "-c", "copy")]
    [InlineData("-i", "whole", "-itsoffset", "0.3", "-i", "whole", "-map", "1:v", "-map", "0:a", "-c", "copy")]
    [InlineData("-i", "whole", "-c", "copy", "-use_editlist", "0")]
    [InlineData("-i", "whole", "-c", "copy", "-movflags", "negative_cts_offsets")]
    [InlineData("-i", "whole", "-map", "0:a", "-map", "0:v", "-map", "0:a", "-c", "copy")]
    [InlineData("-i", "whole", "-pix_fmt", "yuv420p", "-vf", "select='not(eq(n,58))'", "-vsync", "vfr")]
    [InlineData("-i", "whole", "-pix_fmt", "yuv420p", "-vf", "select='lte(n,2)+eq(n,30)'", "-vsync", "vfr", "-an")]
    [InlineData("-i", "whole", "-pix_fmt", "yuv420p", "-bf", "0", "-vf", "select='eq(n,0)+eq(n,30)'", "-vsync", "vfr", "-an")]
    public void Whatever_is_answered_of_a_copy_is_what_ffprobe_says(params string[] arguments)
    {
        foreach (var rate in new[] { "25", "30000/1001" })
        {
            var whole = Make("whole.mp4", rate, true, "-g", "10", "-bf", "2");
            var path = folder.File("copy.mp4");
            Ffmpeg.Run([.. arguments.Select(argument => argument == "whole" ? whole : argument), path]);
            if (MovHeader.Read(path) is { } info) Assert.Equal(probe.ReadByFfprobe(path, default), info);
        }
    }

    [Theory]
    [InlineData("fragments.mp4", "-movflags", "frag_keyframe+empty_moov")]
    [InlineData("fragments.mp4", "-movflags", "dash+frag_every_frame")]
    [InlineData("colours.mp4", "-pix_fmt", "yuv444p")]
    [InlineData("depth.mp4", "-pix_fmt", "yuv420p10le")]
    [InlineData("grey.mp4", "-pix_fmt", "gray")]
    [InlineData("rgb.mp4", "-c:v", "libx264rgb", "-pix_fmt", "rgb24")]
    [InlineData("fields.mp4", "-flags", "+ildct+ilme")]
    [InlineData("codec.mp4", "-c:v", "mpeg4")]
    [InlineData("codec.mp4", "-c:v", "mjpeg")]
    [InlineData("varying.mp4", "-vf", "select='lt(t,1)+not(mod(n,10))'", "-vsync", "vfr")]
    [InlineData("rounded.mp4", "-r", "7", "-video_track_timescale", "1000")]
    [InlineData("codec.mp4", "-c:v", "libx265", "-x265-params", "log-level=none")]
    [InlineData("container.mkv")]
    [InlineData("timecode.mov", "-timecode", "01:00:00:00")]
    [InlineData("two.mp4", "-map", "0:v", "-map", "0:v")]
    public void What_is_not_plain_is_left_to_ffprobe(string name, params string[] output)
    {
        var path = Make(name, "25", false, output);
        Assert.Null(MovHeader.Read(path));
        Assert.Equal(probe.ReadByFfprobe(path, default), probe.Read(path, default));
    }

    [Fact]
    public void A_turned_picture_and_a_cover_are_left_to_ffprobe()
    {
        var plain = Make("plain.mp4", "25", true);
        Ffmpeg.Turn(plain, folder.File("turned.mp4"));
        Ffmpeg.Make(folder.File("cover.jpg"), "testsrc=s=64x48", "-frames:v", "1");
        Ffmpeg.Run(["-i", plain, "-i", folder.File("cover.jpg"), "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic", folder.File("cover.mp4")]);
        Assert.NotNull(MovHeader.Read(plain));
        Assert.All(["turned.mp4", "cover.mp4"], name => Assert.Null(MovHeader.Read(folder.File(name))));
    }

    [Fact]
    public void Damage_ends_in_an_answer_or_none_and_soon()
    {
        var whole = File.ReadAllBytes(Make("plain.mp4", "25", true, "-movflags", "faststart", "-s", "16x16", "-c:a", "mp3", "-b:a", "8k"));
        var changes = Gen.Choose(0, whole.Length - 1).Zip(Gen.Frequency((1, Gen.Choose(0, 255)), (1, Gen.Elements(0, 1, 127, 128, 255)))).ListOf();
        var lengths = Gen.Frequency((3, Gen.Constant(whole.Length)), (1, Gen.Choose(1, whole.Length)));
        var answered = 0;
        Prop.ForAll(changes.Zip(lengths).ToArbitrary(), damage =>
        {
            var bytes = (byte[])whole.Clone();
            foreach (var (position, value) in damage.Item1) bytes[position] = (byte)value;
            var path = folder.Write("damaged.mp4", bytes[..damage.Item2]);
            var watch = Stopwatch.StartNew();
            if (MovHeader.Read(path) is not null) answered++;
            return watch.Elapsed < TimeSpan.FromSeconds(5);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1000));
        // Else the damage would have been seen before the reader got anywhere.
        Assert.InRange(answered, 10, 900);
    }

    [Fact]
    public void A_sound_header_does_not_change_what_is_said_of_a_broken_file()
    {
        var decoder = new VideoDecoder();
        string Refuse(byte[] bytes)
        {
            var path = folder.Write("broken.mp4", bytes);
            Assert.NotNull(MovHeader.Read(path));
            return Assert.Throws<VideoException>(() => decoder.Decode(new VideoClip(path), new FrameSampling(), (_, _, _, _) => { })).Message;
        }
        var whole = File.ReadAllBytes(Make("plain.mp4", "25", true, "-movflags", "faststart"));

        var noPictures = (byte[])whole.Clone();
        new Random(4).NextBytes(noPictures.AsSpan(noPictures.AsSpan().IndexOf("mdat"u8) + 4));
        Assert.Contains("only 0 of 50 frames can be decoded: cut off or damaged", Refuse(noPictures), StringComparison.Ordinal);

        var noSound = (byte[])whole.Clone();
        noSound[noSound.AsSpan().LastIndexOf("stsc"u8) + 8] = 162; // entries in a table of the sound
        Assert.Contains("not a video that ffmpeg can read", Refuse(noSound), StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_is_followed_but_no_pipe_is_opened()
    {
        var plain = Make("plain.mp4", "25", false);
        File.CreateSymbolicLink(folder.File("link.mp4"), plain);
        Assert.NotNull(MovHeader.Read(folder.File("link.mp4")));
        using (var maker = Process.Start("mkfifo", [folder.File("pipe")])) maker.WaitForExit();
        File.CreateSymbolicLink(folder.File("pipe.mp4"), folder.File("pipe"));
        Assert.Null(MovHeader.Read(folder.File("pipe")));
        Assert.Null(MovHeader.Read(folder.File("pipe.mp4")));
        foreach (var name in new[] { "pipe", "pipe.mp4" })
            Assert.Contains("a pipe", Assert.Throws<VideoException>(() => new VideoProbe(new VideoDecoderOptions()).Read(folder.File(name), default)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Larger_pictures_than_allowed_are_refused()
    {
        var path = Make("plain.mp4", "25", false);
        var error = Assert.Throws<VideoException>(() => new VideoProbe(new VideoDecoderOptions { MaxPixels = 64 * 48 - 1 }).Read(path, default));
        Assert.Contains("64x48", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plain_file_needs_no_ffprobe()
    {
        var blind = new VideoProbe(new VideoDecoderOptions { Ffprobe = "no-such-ffprobe" });
        Assert.Equal(50, blind.Read(Make("plain.mp4", "25", true), default).FrameCount);
        Assert.Throws<MvAdapterException>(() => blind.Read(Make("fine.mp4", "25", true, "-pix_fmt", "yuv444p"), default));
    }

    private string Make(string name, string rate, bool sound, params string[] output)
    {
        var path = folder.File(name);
        string[] noise = sound ? ["-f", "lavfi", "-i", "sine=d=2"] : [];
        Ffmpeg.Run(["-f", "lavfi", "-i", $"testsrc=d=2:s=64x48:r={rate}", .. noise, "-pix_fmt", "yuv420p", .. output, path]);
        return path;
    }
}
