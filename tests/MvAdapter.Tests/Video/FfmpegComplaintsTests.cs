using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class FfmpegComplaintsTests
{
    [Theory]
    [InlineData("moov atom not found", "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55d0] moov atom not found", "a.mp4: Invalid data found when processing input")]
    [InlineData("error while decoding MB 3 2", "[h264 @ 0x1] error while decoding MB 3 2", "    Last message repeated 2 times", "[avi @ 0x2] warning: first frame is no keyframe")]
    [InlineData("Conversion failed!", "Conversion failed!", "  ")]
    [InlineData(null)]
    public void The_last_line_that_says_something_is_the_reason(string? reason, params string[] lines)
    {
        var complaints = new FfmpegComplaints();
        foreach (var line in lines) complaints.Add(line);
        Assert.Equal(reason, complaints.Reason);
    }
}
