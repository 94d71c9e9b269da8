using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Tests;

/// <summary>Encoding on several devices at once; here the CPU stands for each of them.</summary>
[Collection(Alone.Name)]
public sealed class ManyDevicesTests(TinyClip clip) : IClassFixture<TinyClip>
{
    private static readonly string[] Texts = [.. Enumerable.Range(0, 300).Select(i => $"a man is riding bike {new string('x', i % 40)}")];

    [Fact]
    public void Results_are_those_of_one_device_in_the_same_order()
    {
        using var one = Load(1);
        using var many = Load(3);
        Assert.Equal(one.EncodeTexts(Texts), many.EncodeTexts(Texts));
        VideoClip[] clips = [.. Enumerable.Range(0, 30).Select(i => i % 7 == 3 ? new VideoClip("missing.mp4") : new VideoClip(clip.Video, i * 0.05, 2 + i * 0.02))];
        var (expected, actual) = (one.EncodeVideos(clips).ToList(), many.EncodeVideos(clips).ToList());
        Assert.Equal(expected.Select(video => (video.Clip, video.Error?.Message)), actual.Select(video => (video.Clip, video.Error?.Message)));
        Assert.Equal(expected.Select(video => video.Embedding), actual.Select(video => video.Embedding));
    }

    [Fact]
    public void Who_stops_reading_leaves_the_rest_and_the_encoder_goes_on()
    {
        using var many = Load(2);
        var first = many.EncodeVideos(Enumerable.Repeat(new VideoClip(clip.Video), 200)).First();
        Assert.Equal(first.Embedding, many.EncodeVideos([new VideoClip(clip.Video)]).Single().Embedding);
    }

    [Fact]
    public void Nothing_of_it_stays()
    {
        var before = Alone.LivingTensors();
        using (var many = Load(3)) many.EncodeTexts(Texts);
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void An_error_on_one_of_them_comes_to_the_caller() => Assert.Throws<InvalidFileException>(() =>
        VideoTextEncoder.Load(new ModelSource("nothing.pt") { OtherDevices = [Device.Cpu] }));

    private VideoTextEncoder Load(int count) => VideoTextEncoder.Load(new ModelSource(clip.Checkpoint)
    {
        Frames = 3, OtherDevices = [.. Enumerable.Repeat(Device.Cpu, count - 1)],
    });
}
