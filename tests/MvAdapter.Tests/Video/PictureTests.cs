using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>Pictures that were extracted beforehand: folders of them, lists, single ones, and what is wrong with some.</summary>
[Collection(Alone.Name)]   // who is warned of damaged pictures is the process's
public sealed class PictureTests : IDisposable
{
    private const int Size = 32;
    private readonly TemporaryFolder folder = new();
    private readonly List<string> warnings = [];

    public PictureTests() => VideoDecoderOptions.Warn = warnings.Add;

    public void Dispose()
    {
        VideoDecoderOptions.Warn = null;
        folder.Dispose();
    }

    [Fact]
    public void A_folder_of_the_frames_of_a_video_is_that_video()
    {
        var video = Ffmpeg.Make(folder.File("video.mkv"), "testsrc2=d=20:s=96x64:r=1", "-c:v", "ffv1", "-pix_fmt", "gbrp");
        var pictures = Extract(video, "%d.png");   // natural order: 2 before 10
        var (expected, actual) = (Read(video), Read(pictures));
        Assert.Equal(expected.Taken.Numbers, actual.Taken.Numbers);
        Assert.Equal(expected.Pixels, actual.Pixels);
        Assert.Equal(20, new VideoDecoder().Probe(pictures).FrameCount);
        Assert.Empty(warnings);
    }

    [Theory]
    [InlineData("2.jpg", "10.jpg")]
    [InlineData("a2b9", "a2b10")]
    [InlineData("a", "b")]
    [InlineData("frame", "frame1")]
    [InlineData("007", "07b")]
    [InlineData("99999999999999999999", "100000000000000000000")]
    [InlineData("01", "1")]
    public void Names_are_ordered_as_people_do(string first, string second)
    {
        Assert.True(Pictures.CompareNaturally(first, second) < 0);
        Assert.True(Pictures.CompareNaturally(second, first) > 0);
        Assert.Equal(0, Pictures.CompareNaturally(first, first));
    }

    [Fact]
    public void The_rate_of_extraction_decides_what_a_second_is()
    {
        var pictures = Extract(Ffmpeg.Make(folder.File("video.mkv"), "testsrc2=d=4:s=32x32:r=10", "-c:v", "ffv1"), "%03d.jpg");
        Assert.Equal([0, 10, 20, 30], Read(pictures, new FrameSampling { PictureRate = 10 }).Taken.Numbers);
        Assert.Equal([0, 3, 7, 10, 14, 17, 21, 24, 28, 31, 35, 39], Read(pictures).Taken.Numbers);
        Assert.Equal([10, 20], Read(new VideoReader(new ImageProcessor(Size), new FrameSampling { PictureRate = 10 }), new VideoClip(pictures, 1, 3)).Taken.Numbers);
        Assert.Equal(4, new VideoDecoder(new VideoDecoderOptions { PictureRate = 10 }).Probe(pictures).Duration);
    }

    [Theory]
    [InlineData("gray.jpg", "-pix_fmt", "gray")]
    [InlineData("wide.png", "-pix_fmt", "rgb48be")]
    [InlineData("palette.png", "-pix_fmt", "pal8")]
    [InlineData("alpha.png", "-pix_fmt", "rgba")]
    [InlineData("full.jpg", "-pix_fmt", "yuvj444p")]
    public void Each_kind_of_picture_is_a_video_of_one_frame(string name, params string[] format)
    {
        var path = folder.File(name);
        Ffmpeg.Run(["-f", "lavfi", "-i", "color=0x808080:s=48x40:d=1:r=1", .. format, "-frames:v", "1", path]);
        var frames = Read(path);
        Assert.Null(frames.Error);
        Assert.Equal([0], frames.Taken.Numbers);
        Assert.InRange(frames.Pixels.Average(value => value), 124, 132);   // a palette mixes its colours
    }

    [Theory]
    [InlineData(255, 200, 100, 50)]
    [InlineData(128, 100, 50, 25)]
    public void A_picture_for_print_has_its_colours(byte black, int red, int green, int blue)
    {
        CmykJpeg.Write(folder.File("print.jpg"), 200, 100, 50, black);
        var frames = Read(folder.File("print.jpg"));
        Assert.Null(frames.Error);
        // Three roundings of the decoder: of the mean, of the product with black, of the turn through Y'CbCr.
        Assert.All(frames.Pixels.Chunk(3), pixel => Assert.True(
            Math.Abs(pixel[0] - red) <= 3 && Math.Abs(pixel[1] - green) <= 3 && Math.Abs(pixel[2] - blue) <= 3, string.Join(' ', pixel)));
    }

    [Fact]
    public void A_picture_is_turned_as_its_camera_was_held()
    {
        // Left red, right blue; a camera held on its side says so by orientation 6: to be turned right by a quarter.
        var path = folder.File("flat.jpg");
        Ffmpeg.Run(["-f", "lavfi", "-i", "color=red:s=32x64:d=1[a];color=blue:s=32x64:d=1[b];[a][b]hstack", "-frames:v", "1", "-q:v", "1", path]);
        var bytes = File.ReadAllBytes(path);
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0];
        var turned = folder.File("turned.jpg");
        File.WriteAllBytes(turned, [.. bytes[..2], .. exif, .. bytes[2..]]);
        var (left, top) = (Read(path).Pixels, Read(turned).Pixels);
        Assert.True(left[Size * Size / 2 * 3] > 200 && left[((Size / 2 * Size) + Size - 1) * 3] < 50);
        // Turned: red above, blue below.
        Assert.True(top[Size / 2 * 3] > 200 && top[(((Size - 1) * Size) + (Size / 2)) * 3] < 50);
    }

    [Fact]
    public void Pictures_of_several_sizes_and_a_damaged_one_among_many()
    {
        var pictures = folder.File("mixed");
        Directory.CreateDirectory(pictures);
        for (var i = 0; i < 12; i++)
            Ffmpeg.Run(["-f", "lavfi", "-i", $"testsrc2=s={40 + (8 * i)}x{64 - (2 * i)}:d=1", "-frames:v", "1", Path.Combine(pictures, $"{i}.jpg")]);
        Assert.Equal(12, Read(pictures).FrameCount);
        File.WriteAllBytes(Path.Combine(pictures, "7.jpg"), [0xFF, 0xD8, 0xFF, 0xE0, 1, 2, 3]);
        var frames = Read(pictures);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11], frames.Taken.Numbers);
        Assert.Contains("7.jpg", Assert.Single(warnings.Distinct()), StringComparison.Ordinal);
        // Two of twelve are too many.
        File.WriteAllText(Path.Combine(pictures, "3.jpg"), "no picture");
        Assert.Contains("pictures cannot be read", Read(pictures).Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_video_is_named()
    {
        Directory.CreateDirectory(folder.File("empty"));
        Assert.Contains("without JPEG or PNG pictures", Read(folder.File("empty")).Error!.Message, StringComparison.Ordinal);
        File.WriteAllBytes(folder.File("cut.png"), [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Assert.Contains("header is damaged", Read(folder.File("cut.png")).Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Thirty_thousand_pictures_are_no_trouble()
    {
        var pictures = folder.File("many");
        Directory.CreateDirectory(pictures);
        var first = Path.Combine(pictures, "0.jpg");
        Ffmpeg.Run(["-f", "lavfi", "-i", "testsrc2=s=32x32:d=1", "-frames:v", "1", first]);
        for (var i = 1; i < 30_000; i++) File.CreateSymbolicLink(Path.Combine(pictures, $"{i}.jpg"), first);
        var frames = Read(pictures);
        Assert.Equal(12, frames.FrameCount);
        Assert.Equal(29_999, frames.Taken.Numbers[^1]);
    }

    [Fact]
    public void Listed_pictures_follow_each_other_as_listed()
    {
        var pictures = Extract(Ffmpeg.Make(folder.File("video.mkv"), "testsrc2=d=4:s=32x32:r=1", "-c:v", "ffv1", "-pix_fmt", "gbrp"), "%d.png");
        var forward = Read(new VideoReader(new ImageProcessor(Size), new FrameSampling()), new VideoClip(pictures) { Pictures = [.. new[] { "1", "2", "4" }.Select(name => Path.Combine(pictures, name + ".png"))] });
        var backward = Read(new VideoReader(new ImageProcessor(Size), new FrameSampling()), new VideoClip(pictures) { Pictures = [.. new[] { "4", "2", "1" }.Select(name => Path.Combine(pictures, name + ".png"))] });
        Assert.Equal(forward.Pixels.Chunk(Size * Size * 3).Reverse().SelectMany(picture => picture), backward.Pixels);
    }

    private string Extract(string video, string pattern)
    {
        var pictures = folder.File("pictures");
        Directory.CreateDirectory(pictures);
        Ffmpeg.Run(["-i", video, "-vsync", "0", Path.Combine(pictures, pattern)]);
        return pictures;
    }

    private static VideoFrames Read(string path, FrameSampling? sampling = null) => Read(new VideoReader(new ImageProcessor(Size), sampling ?? new FrameSampling()), new VideoClip(path));

    private static VideoFrames Read(VideoReader reader, VideoClip clip)
    {
        // Alone and as one of many, which go different ways.
        var alone = reader.Read(clip);
        var among = reader.Read([clip, clip, clip, clip]).Last();
        Assert.Equal(alone.Pixels, among.Pixels);
        return alone;
    }
}
