using MvAdapter.Search;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Search;

public sealed class ClipSplitterTests
{
    [Theory]
    [InlineData(10, 0, 25, "0-10 10-20 20-25")]
    [InlineData(10, 0, 24, "0-10 10-24")]      // less than half a clip is no clip
    [InlineData(10, 0, 3, "0-3")]
    [InlineData(10, 5, 21, "0-10 5-15 10-21")]
    [InlineData(double.PositiveInfinity, 0, 4000, "0-4000")]
    public void Windows_cover_the_video(double seconds, double overlap, double duration, string expected)
    {
        var spans = new ClipSplitter(new ClipSplitting { Seconds = seconds, Overlap = overlap }, new VideoDecoder()).Split("unused", duration);
        Assert.Equal(expected, string.Join(' ', spans.Select(span => $"{span.Start}-{span.End}")));
    }

    [Fact]
    public void Scenes_end_where_the_picture_changes()
    {
        using var folder = new TemporaryFolder();
        var video = folder.File("scenes.mp4");
        Ffmpeg.Run(["-f", "lavfi", "-i", "color=red:s=64x48:r=10:d=3", "-f", "lavfi", "-i", "color=blue:s=64x48:r=10:d=6", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=2",
            "-filter_complex", "[0][1][2]concat=n=3", "-pix_fmt", "yuv420p", "file:" + video]);
        var spans = new ClipSplitter(new ClipSplitting { Scenes = true, Seconds = 4 }, new VideoDecoder()).Split(video, 11);
        Assert.Equal([(0, 3), (3, 7), (7, 9), (9, 11)], spans.Select(span => (Math.Round(span.Start, 2), Math.Round(span.End, 2))));
    }

    [Theory]
    [InlineData("whole")]
    [InlineData("window seconds=10 overlap=2.5")]
    [InlineData("scenes seconds=7 overlap=0")]
    public void The_text_form_is_read_back(string text) => Assert.Equal(text, ClipSplitting.Parse(text).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("windows")]
    [InlineData("window seconds=")]
    [InlineData("window seconds=-1")]
    [InlineData("window seconds=10 overlap=10")]
    [InlineData("window seconds=nan")]
    public void Another_text_is_refused(string text) => Assert.ThrowsAny<MvAdapterException>(() => ClipSplitting.Parse(text));
}
