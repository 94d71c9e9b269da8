using MvAdapter.Datasets;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests.Support;

/// <summary>
/// MovingShapes with cached frames, and the small CLIP: those of the folder MVADAPTER_TEST_SHAPES (data/, frames/), else some made here.
/// </summary>
public sealed class ShapeVideos : IDisposable
{
    private const int ImageSize = 64;   // of the small CLIP
    private readonly TemporaryFolder folder = new();

    public ShapeVideos()
    {
        var clip = Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip");
        var given = Environment.GetEnvironmentVariable("MVADAPTER_TEST_SHAPES");
        var root = given is { Length: > 0 } ? given : folder.Path;
        Cache = Path.Combine(root, "frames");
        Config = DemoRecipe.Methods(DemoRecipe.Config(clip, Path.Combine(root, "data"), 50, "fp32") with { EvaluateEvery = -1 })[^1];
        if (given is { Length: > 0 } || TorchRuntime.CudaDevices == 0) return;   // nobody will want them
        MovingShapes.MakeAsync(Config.Annotations, new MovingShapesSettings { Videos = 64, TestPairs = 2, ValPairs = 2 }, null, default).GetAwaiter().GetResult();
        using var cache = FrameCache.OpenOrCreate(Cache, Config.FrameSampling(), ImageSize);
        cache.Prepare(Config.Load(Split.Train).Samples.Select(sample => sample.Clip), new VideoReader(new ImageProcessor(ImageSize), Config.FrameSampling()));
    }

    /// <summary>The demo's MV-Adapter for 50 steps.</summary>
    public RunConfig Config { get; }

    /// <summary>The frames.</summary>
    public string Cache { get; }

    public void Dispose() => folder.Dispose();
}
