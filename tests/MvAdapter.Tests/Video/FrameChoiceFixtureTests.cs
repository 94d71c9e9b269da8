using System.Text.Json;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>The frames that the published extraction takes, counted by OpenCV, at rates that are no whole numbers too.</summary>
[Trait("Category", "Fixtures")]
public sealed class FrameChoiceFixtureTests
{
    public static TheoryData<string> Videos => Fixtures.Names("frame_choice", "*.mp4");

    [Theory]
    [MemberData(nameof(Videos))]
    public void Takes_the_frames_of_the_published_extraction(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Fixtures.Find("frame_choice/expected.json")));
        var expected = json.RootElement.GetProperty(name);
        var path = Fixtures.Find($"frame_choice/{name}");
        var decoder = new VideoDecoder();

        var info = decoder.Probe(path);
        Assert.Equal(expected.GetProperty("frame_count").GetInt32(), info.FrameCount);
        Assert.Equal(expected.GetProperty("fps").GetDouble(), info.AverageFramesPerSecond, 1e-9);
        var all = Taken(new FrameSampling { MaxFrames = FrameSampling.MaxFramesLimit });
        if (expected.TryGetProperty("one_fps_frame_indices", out var indices))
        {
            Assert.Equal(Integers(indices), all);
            Assert.Equal(Integers(expected.GetProperty("selected")), Taken(new FrameSampling()));
        }
        else
        {
            // Where the published extraction divides by zero, time decides: below one frame a second that is every frame.
            Assert.True(info.AverageFramesPerSecond < 1);
            Assert.Equal(Enumerable.Range(0, info.FrameCount), all);
        }

        IReadOnlyList<int> Taken(FrameSampling sampling) => decoder.Decode(new VideoClip(path), sampling, (_, _, _, _) => { }).Numbers;
    }

    private static int[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];
}
