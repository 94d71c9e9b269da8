using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests;

/// <summary>
/// Resident memory stays flat over hundreds of batches. Alone, since the memory of other tests in the process would count.
/// </summary>
[Collection("Alone")]
[Trait("Category", "Slow")]
public sealed class MemoryTests(TinyClip clip) : IClassFixture<TinyClip>
{
    private const int WarmUp = 50;
    private const int Pairs = 4;
    private const int Batches = 300;
    private const long Allowed = 20_000_000;

    [Fact]
    public void Encoding_keeps_no_memory()
    {
        using var backbone = ClipModel.CreateRandom(clip.Config, 1);
        using var model = RetrievalModel.Create(backbone, new MvAdapterMethod(clip.Config, TinyClip.AdapterSettings));
        using var encoder = new VideoTextEncoder(model, clip.Tokenizer, new FrameSampling(), TinyClip.AdapterSettings.Words);
        var frames = encoder.Sampling.MaxFrames;
        var video = new VideoFrames(new VideoClip("memory"), new byte[frames * clip.Config.ImageSize * clip.Config.ImageSize * 3],
            new TakenFrames([.. Enumerable.Range(0, frames)], 1));
        AssertFlat(() =>
        {
            Assert.Equal(4, encoder.EncodeVideos(Enumerable.Repeat(video, 4)).Count());
            encoder.EncodeTexts(["a man is riding a bike", "the dog", ""]);
        });
    }

    [Fact]
    public void Training_keeps_no_memory()
    {
        using var backbone = ClipModel.CreateRandom(clip.Config, 1);
        using var model = RetrievalModel.Create(backbone, new MvAdapterMethod(clip.Config, TinyClip.AdapterSettings));
        var groups = new OptimizerGroups();
        var parameters = model.TrainableParameters().Select(item => new TrainedParameter(item.Key, item.Value, groups.Of(item.Key))).ToList();
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = true;
        using var optimizer = new BertAdam(parameters, _ => 1);
        AssertFlat(() =>
        {
            using var scope = new TensorScope();
            ContrastiveLoss.Of(model.Logits(model.EncodeTexts(Texts(), training: true), model.EncodeVideos(Videos(), null, training: true))).Backward();
            optimizer.Step();
            model.ClampLogitScale();
        });
    }

    [Fact]
    public void Fifty_tasks_cost_their_adapters_and_no_second_backbone()
    {
        const int tasks = 50;
        var config = clip.Config with { TextWidth = 256, VisionWidth = 512 };
        using var folder = new TemporaryFolder();
        using var backbone = ClipModel.CreateRandom(config, 1);
        TinyClip.WriteAdapter(folder.File("adapter.safetensors"), config);
        var size = new FileInfo(folder.File("adapter.safetensors")).Length;
        Assert.True(size * 8 < 4 * backbone.Parameters.ElementCount);   // a copy of the backbone would show
        var before = Resident();
        var models = Enumerable.Range(0, tasks).Select(_ => AdapterCheckpoint.Load(folder.File("adapter.safetensors"), backbone)).ToList();
        var grown = Resident() - before;
        foreach (var model in models) model.Dispose();
        Assert.InRange(grown, -Allowed, 2 * tasks * size + Allowed);   // other tests' memory may go meanwhile
    }

    private Tensor Videos() => Tensor.RandN([Pairs, TinyClip.AdapterSettings.Frames, 3, clip.Config.ImageSize, clip.Config.ImageSize]);

    private Tensor Texts()
    {
        const int length = 16;
        var ids = Enumerable.Range(0, Pairs * length).Select(i => i % length == length - 1 ? clip.Config.VocabularySize - 1L : i % 500).ToArray();
        return Tensor.From(ids, Pairs, length);
    }

    private static void AssertFlat(Action batch)
    {
        for (var i = 0; i < WarmUp; i++) batch();
        // The collector gives young objects tens of megabytes, which become resident as they are first touched.
        var collections = GC.CollectionCount(0);
        while (GC.CollectionCount(0) < collections + 2) GC.KeepAlive(GC.AllocateUninitializedArray<byte>(10_000));
        var before = Resident();
        for (var i = 0; i < Batches; i++) batch();
        var grown = Resident() - before;
        Assert.True(grown < Allowed, $"resident memory grew by {grown / 1e6:0.0} MB over {Batches} batches");
    }

    // What only awaits the garbage collector is not kept.
    private static long Resident()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return TorchRuntime.Memory(Device.Cpu).Current;
    }
}
