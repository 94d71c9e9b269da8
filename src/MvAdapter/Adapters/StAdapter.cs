using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>The hyper-parameters of ST-Adapter.</summary>
public sealed record StAdapterSettings
{
    /// <summary>Bottleneck width m of the video branch.</summary>
    public int Bottleneck { get; init; } = 384;

    /// <summary>The convolution's extent over frames, rows and columns: [3, 1, 1], or [3, 3, 3].</summary>
    public IReadOnlyList<int> Kernel { get; init; } = [3, 1, 1];

    /// <summary>Bottleneck width of the text branch, whose adapter is AdaptFormer's.</summary>
    public int TextBottleneck { get; init; } = 64;
}

/// <summary>
/// ST-Adapter (arXiv 2206.13559): before the attention of every block of the video branch, a bottleneck with a
/// depth-wise convolution over time and space.
/// </summary>
public sealed class StAdapter : Method
{
    private StAdapter(ClipConfig clip, StAdapterSettings settings, ParameterBuilder p) : base(Definition, settings, p)
    {
        Setting.RequireWidth("bottleneck", settings.Bottleneck);
        Setting.RequireWidth("text_bottleneck", settings.TextBottleneck);
        Setting.Require(settings.Kernel.Count == 3 && settings.Kernel.All(size => size is > 0 and < 32 && size % 2 == 1),
            "kernel lists three odd sizes: frames, rows, columns");
        var text = new AdaptFormerSettings { Bottleneck = settings.TextBottleneck };
        Vision = EachVisionBlock(clip, p, (block, _) => new StAdapterBlock(block["adapter"], clip.VisionWidth, settings));
        Text = EachTextBlock(clip, p, (block, _) => new AdaptFormerBlock(block["mlp"]["adapter"], clip.TextWidth, text));
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<StAdapterSettings>(
        "st-adapter", "depth-wise convolution over time before attention (arXiv 2206.13559)", static (clip, settings, p) => new StAdapter(clip, settings, p));
}

/// <summary>Patches only: up(conv(down(x))). The class token gets no delta.</summary>
internal sealed class StAdapterBlock : BlockAdapter
{
    private readonly Linear down;
    private readonly Tensor kernel;      // [m, 1, kt, kh, kw]
    private readonly Tensor kernelBias;  // [m]
    private readonly Linear up;
    private readonly long[] padding;

    public StAdapterBlock(ParameterBuilder p, long width, StAdapterSettings settings)
    {
        long m = settings.Bottleneck;
        down = Linear.CreateUniform(p["fc1"], width, m, 1 / Math.Sqrt(width));
        kernel = p["conv"].Zeros("weight", m, 1, settings.Kernel[0], settings.Kernel[1], settings.Kernel[2]);
        kernelBias = p["conv"].Zeros("bias", m);
        up = Linear.CreateUniform(p["fc2"], m, width, 1 / Math.Sqrt(m));
        padding = [.. settings.Kernel.Select(size => size / 2L)];
    }

    /// <inheritdoc/>
    public override Tensor OnInput(Tensor x, BlockContext context)
    {
        var (n, patches, m) = (x.Size(0), context.GridHeight * context.GridWidth, kernel.Size(0));
        // A frame that is not there is to the convolution what lies beyond the last frame: zero.
        var d = context.ToVideos(down.Forward(context.ToGrid(x)).Reshape(n, context.GridHeight, context.GridWidth, m));
        // Those of padding that the tower was given all the same.
        if (context.Places is null && context.FrameMask is { } mask) d = d * mask.View(context.Batch, context.Frames, 1, 1, 1);
        d = Functional.Conv3d(d.Permute(0, 4, 1, 2, 3), kernel, kernelBias, padding: padding, groups: m);
        var delta = up.Forward(context.FromGrid(context.ToFrames(d.Permute(0, 2, 3, 4, 1)).Reshape(n, patches, m)));
        return Tensor.Concatenate([Tensor.Zeros([n, 1, x.Size(2)], delta.DType, delta.Device), delta], 1);
    }
}
