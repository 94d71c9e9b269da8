using System.Text.Json;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

[Trait("Category", "Fixtures")]
public sealed class VideoFixtureTests
{
    public static TheoryData<string> Videos => Fixtures.Names("video", "*.json");

    [Fact]
    public void Samples_the_published_frames()
    {
        using var cases = JsonDocument.Parse(File.ReadAllText(Fixtures.Find("frame_sampling.json")));
        Assert.NotEqual(0, cases.RootElement.GetArrayLength());
        foreach (var item in cases.RootElement.EnumerateArray())
        {
            int available = item.GetProperty("available").GetInt32(), maxFrames = item.GetProperty("max_frames").GetInt32();
            Assert.Equal(Integers(item, "uniform"), FrameSampler.Indices(FrameStrategy.Uniform, available, maxFrames));
            Assert.Equal(Integers(item, "floor"), FrameSampler.Indices(FrameStrategy.Floor, available, maxFrames));
        }
    }

    [Theory]
    [MemberData(nameof(Videos))]
    public void Takes_the_frames_that_OpenCV_takes(string name)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(Fixtures.Find($"video/{name}")));
        var expected = json.RootElement;
        var path = Fixtures.Clip(Path.ChangeExtension(name, "mp4"));
        var decoder = new VideoDecoder();
        var means = new List<double[]>();

        var info = decoder.Probe(path);
        var all = decoder.Decode(new VideoClip(path), new FrameSampling { MaxFrames = 1000 }, (_, _, _, _) => { });
        var taken = decoder.Decode(new VideoClip(path), new FrameSampling(), (_, rgb, _, _) => means.Add(Mean(rgb)));

        Assert.Equal(expected.GetProperty("frame_count").GetInt32(), info.FrameCount);
        Assert.Equal(expected.GetProperty("fps").GetDouble(), info.AverageFramesPerSecond, 1e-9);
        Assert.Equal(Integers(expected, "one_fps_frame_indices"), all.Numbers);
        Assert.Equal(Integers(expected, "selected"), taken.Numbers);
        var difference = expected.GetProperty("mean_rgb").EnumerateArray()
            .SelectMany((frame, i) => frame.EnumerateArray().Select((value, c) => Math.Abs(value.GetDouble() - means[i][c]))).Max();
        Assert.True(difference < 1, $"mean colours differ by {difference}");
    }

    [Theory]
    [MemberData(nameof(Videos))]
    public void Frames_look_as_the_published_ones(string name)
    {
        var expected = new StoredTensors(Fixtures.Find($"video/{Path.ChangeExtension(name, "safetensors")}")).Values("frames_28x28");
        var processor = new ImageProcessor();
        using var frames = new VideoReader(processor, new FrameSampling()).Read([new VideoClip(Fixtures.Clip(Path.ChangeExtension(name, "mp4")))]).GetEnumerator();
        Assert.True(frames.MoveNext());
        var video = frames.Current;
        Assert.Null(video.Error);
        var sum = 0.0;
        var planes = new float[processor.PictureLength];
        for (var f = 0; f < video.FrameCount; f++)
        {
            processor.Normalize(video.Pixels.AsSpan(f * processor.PictureLength, processor.PictureLength), planes);
            for (var c = 0; c < 3; c++)
                for (var y = 0; y < 28; y++)
                    for (var x = 0; x < 28; x++)
                        sum += Math.Abs(expected[((f * 3 + c) * 28 + y) * 28 + x] - BlockMean(planes.AsSpan(c * 224 * 224), x * 8, y * 8));
        }
        Assert.Equal(expected.Length, video.FrameCount * 3 * 28 * 28);
        Assert.True(sum / expected.Length < 0.01, $"thumbnails differ by {sum / expected.Length} on average");
    }

    private static float BlockMean(ReadOnlySpan<float> plane, int x, int y)
    {
        var sum = 0f;
        for (var row = y; row < y + 8; row++)
            foreach (var value in plane.Slice(row * 224 + x, 8)) sum += value;
        return sum / 64;
    }

    private static double[] Mean(ReadOnlySpan<byte> rgb)
    {
        var sums = new double[3];
        for (var i = 0; i < rgb.Length; i++) sums[i % 3] += rgb[i];
        var pixels = rgb.Length / 3;
        return [.. sums.Select(sum => sum / pixels)];
    }

    private static int[] Integers(JsonElement element, string name) =>
        [.. element.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];
}
