using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>The hyper-parameters of AdaptFormer.</summary>
public sealed record AdaptFormerSettings
{
    /// <summary>Bottleneck width m.</summary>
    public int Bottleneck { get; init; } = 64;

    /// <summary>Factor on the adapter's output.</summary>
    public double Scale { get; init; } = 0.1;

    /// <summary>Dropout on the bottleneck.</summary>
    public double Dropout { get; init; } = 0.1;
}

/// <summary>AdaptFormer (arXiv 2205.13535): a bottleneck beside the MLP of every block, in both branches.</summary>
public sealed class AdaptFormer : Method
{
    private AdaptFormer(ClipConfig clip, AdaptFormerSettings settings, ParameterBuilder p) : base(Definition, settings, p)
    {
        Setting.RequireWidth("bottleneck", settings.Bottleneck);
        Setting.RequireDropout(settings.Dropout);
        Vision = EachVisionBlock(clip, p, (block, _) => new AdaptFormerBlock(block["mlp"]["adapter"], clip.VisionWidth, settings));
        Text = EachTextBlock(clip, p, (block, _) => new AdaptFormerBlock(block["mlp"]["adapter"], clip.TextWidth, settings));
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<AdaptFormerSettings>(
        "adaptformer", "a bottleneck beside every MLP (arXiv 2205.13535)", static (clip, settings, p) => new AdaptFormer(clip, settings, p));
}

/// <summary>scale * up(dropout(relu(down(x)))), x the residual stream before the MLP's LayerNorm.</summary>
internal sealed class AdaptFormerBlock : BlockAdapter
{
    private readonly AdaptFormerSettings settings;
    private readonly Linear down;
    private readonly Linear up;

    public AdaptFormerBlock(ParameterBuilder p, long width, AdaptFormerSettings settings)
    {
        this.settings = settings;
        // Kaiming uniform with a = sqrt 5 is uniform within 1 / sqrt(fan in).
        down = Linear.CreateUniform(p["down_proj"], width, settings.Bottleneck, 1 / Math.Sqrt(width));
        up = Linear.CreateZero(p["up_proj"], settings.Bottleneck, width);
    }

    /// <inheritdoc/>
    public override Tensor BesideMlp(Tensor x, Tensor normalized, BlockContext context)
    {
        var d = Functional.Dropout(down.Forward(x).Relu(), settings.Dropout, context.Training);    // [N, L, m]
        return up.Forward(d) * settings.Scale;
    }
}
