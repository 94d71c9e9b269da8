using System.Diagnostics;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests.Gpu;

/// <summary>The processor asks and goes on: a GPU that is waited for stands still until it is asked again.</summary>
[Collection(Alone.Name)]
[Trait("Category", "Gpu")]
public sealed class GpuQueueTests
{
    private static readonly ClipConfig Clip = ClipConfig.Preset("ViT-B/32");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_step_waits_for_nothing_before_its_loss_is_read(bool bfloat16)
    {
        var device = TestDevice.Gpu();
        using var scope = new TensorScope();
        using var model = Model(device, bfloat16 ? DType.BFloat16 : DType.Float32);
        using var step = new TrainingStep(model, new OptimizerGroups(), _ => 1);
        var input = Input(device, 2);
        step.Accumulate(input);
        step.Step();   // the first one makes the optimiser's moments and loads kernels
        using var watch = new TorchWatch(WatchKinds.Waits);
        step.Accumulate(input);
        step.Step();
        Assert.Empty(watch.Notes);
    }

    [Fact]
    public void A_batch_of_pictures_is_asked_for_without_waiting()
    {
        var device = TestDevice.Gpu();
        using var scope = new TensorScope();
        VideoFrames[] videos = [.. new[] { 12, 5 }.Select(frames =>
            new VideoFrames(new VideoClip("a.mp4"), new byte[frames * 224 * 224 * 3], new TakenFrames([.. Enumerable.Range(0, frames)], 1)))];
        FrameBatch.From(videos, 12, Clip, device);   // page-locked memory is made once
        using var watch = new TorchWatch(WatchKinds.Waits);
        FrameBatch.From(videos, 12, Clip, device);
        Assert.Empty(watch.Notes);
    }

    [Fact]
    public void To_read_a_loss_is_noted_as_a_wait()
    {
        using var scope = new TensorScope();
        var one = Tensor.Ones([1], device: TestDevice.Gpu());
        using var watch = new TorchWatch(WatchKinds.Waits);
        one.ToDouble();
        Assert.NotEmpty(watch.Notes);
    }

    [Fact]
    public void Pictures_go_up_while_the_GPU_computes()
    {
        var device = TestDevice.Gpu();
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        var pictures = new byte[64 * 224 * 224 * 3];
        Upload();   // page-locked memory is made once
        var x = Tensor.RandN([8192, 8192]).To(device);
        x.MatMul(x).Dispose();
        TorchRuntime.Synchronize(device);
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 40; i++) x.MatMul(x).Dispose();
        var asked = clock.Elapsed;
        Upload();
        var uploaded = clock.Elapsed;
        TorchRuntime.Synchronize(device);
        Assert.True(asked < clock.Elapsed / 2, $"asking for products waited for them: {asked} of {clock.Elapsed}");
        Assert.True(uploaded < 0.75 * clock.Elapsed, $"asking for a copy waited for the products: {uploaded} of {clock.Elapsed}");

        void Upload() => Tensor.From(pictures, pictures.Length).Upload(device).Dispose();
    }

    private static RetrievalModel Model(Device device, DType type)
    {
        using var clip = ClipModel.CreateRandom(Clip, 0);
        return RetrievalModel.Create(clip, Methods.Find("mv-adapter").Create(Clip, device: device), type, device);
    }

    private static TrainingInput Input(Device device, int videos) => new(
        FrameBatch.Padded(Tensor.RandN([videos, 12, 3, Clip.ImageSize, Clip.ImageSize]).To(device), null),
        Tensor.From(Enumerable.Range(0, videos * 8).Select(i => i % 8 == 7 ? Clip.VocabularySize - 1L : 1 + 37 * i).ToArray(), videos, 8).To(device));
}
