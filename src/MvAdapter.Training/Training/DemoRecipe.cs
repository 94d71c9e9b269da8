using MvAdapter.Datasets;

namespace MvAdapter.Training;

/// <summary>What <c>demo</c> does: the built-in benchmark, small enough for some minutes on two cores.</summary>
public static class DemoRecipe
{
    /// <summary>Steps of training.</summary>
    public const int Steps = 300;

    /// <summary>The videos.</summary>
    public static MovingShapesSettings Settings { get; } = new() { Videos = 600, TestPairs = 100, ValPairs = 25 };

    /// <summary>The config that all methods share. Frames are taken symmetrically in time, from all of a video.</summary>
    /// <param name="clip">The small CLIP.</param>
    /// <param name="data">The dataset's folder.</param>
    /// <param name="steps">Steps of training.</param>
    /// <param name="precision">bf16 where the processor has units for it, else fp32.</param>
    public static RunConfig Config(string clip, string data, int steps, string precision) => new()
    {
        Dataset = "moving-shapes",
        Annotations = data,
        Clip = clip,
        Frames = 8,
        Words = 24,
        Sampling = "symmetric",
        Fps = "all",
        BatchSize = 32,
        Precision = precision,
        Steps = steps,
        EvaluateEvery = 50,
    };

    /// <summary>Zero-shot, full fine-tuning and MV-Adapter, each at the learning rates that suit it.</summary>
    public static IReadOnlyList<RunConfig> Methods(RunConfig basis) =>
    [
        basis with { Method = "zero-shot" },
        basis with { Method = "full", ClipLr = 3e-4 },
        basis with { Method = "mv-adapter", AdapterLr = 3e-3, ClipLr = 3e-4, Settings = """{"bottleneck": 32}""" },
    ];

    /// <summary>The page's introduction.</summary>
    public static string Introduction(MovingShapesSettings settings) => FormattableString.Invariant(
        $"{settings.Videos} training videos and {settings.TestPairs} test pairs, each a video and the same video played backwards, whose captions differ in what happens when. A method that averages frames sees both videos of a pair as one set of frames: its order accuracy is 50 % by construction. The CLIP was pretrained on still pictures of the same shapes and is frozen, save in full fine-tuning.");
}
