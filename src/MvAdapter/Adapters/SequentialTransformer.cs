using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>The hyper-parameters of CLIP4Clip's sequential transformer.</summary>
public sealed record SequentialTransformerSettings
{
    /// <summary>Most frames of a video: one learned position each.</summary>
    public int Frames { get; init; } = 12;

    /// <summary>Blocks of the transformer over frames.</summary>
    public int Layers { get; init; } = 4;
}

/// <summary>
/// Full fine-tuning with a transformer over the frames' features before they are pooled (CLIP4Clip's seqTransf,
/// arXiv 2104.08860, section 3.3).
/// </summary>
public sealed class SequentialTransformer : Method
{
    private const double MaskedScore = -1e6;
    private const int HeadWidth = 64;
    private const string Root = "visual.adapter.";
    private readonly Tensor positionalEmbedding; // [F, E]
    private readonly TransformerBlock[] blocks;

    private SequentialTransformer(ClipConfig clip, SequentialTransformerSettings settings, ParameterBuilder p) : base(Definition, settings, p)
    {
        Setting.RequireWidth("frames", settings.Frames);
        Setting.RequireWithin("layers", settings.Layers, 1, 64);
        MaxFrames = settings.Frames;
        p = p["visual"]["adapter"];
        long width = clip.EmbeddingWidth;
        positionalEmbedding = p.Normal("positional_embedding", 0.01, settings.Frames, width);
        blocks = [.. Enumerable.Range(0, settings.Layers).Select(layer =>
            TransformerBlock.CreateClip(p["transformer"]["resblocks"][layer], width, Math.Max(1, clip.EmbeddingWidth / HeadWidth), settings.Layers))];
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<SequentialTransformerSettings>(
        "seq-transf", "full fine-tuning with a transformer over frames (CLIP4Clip's seqTransf)", static (clip, settings, p) => new SequentialTransformer(clip, settings, p));

    /// <inheritdoc/>
    public override int? MaxFrames { get; }

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => true;

    /// <summary>Begins as the first layers and positions of the text tower, where that is as wide as the embedding.</summary>
    public override void InitializeFrom(ClipModel backbone)
    {
        if (backbone.Config.TextWidth != backbone.Config.EmbeddingWidth) return;
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        foreach (var (name, value) in Parameters.Items)
        {
            if (!backbone.Parameters.TryGet(name[Root.Length..], out var source)) continue;   // more layers than the tower has
            var rows = Math.Min(value.Size(0), source.Size(0));
            value.Narrow(0, 0, rows).CopyFrom(source.Narrow(0, 0, rows));
        }
    }

    /// <inheritdoc/>
    public override Tensor PoolFrames(Tensor frames, Tensor? mask, bool training)
    {
        var x = frames + positionalEmbedding.Narrow(0, 0, frames.Size(1));                   // [B, F, E]
        var keys = mask is null ? null : ((1 - mask) * MaskedScore).Unsqueeze(1).Unsqueeze(1);  // [B, 1, 1, F]
        foreach (var block in blocks) x = block.Forward(x, keys);
        return FramePooling.Mean(frames + x, mask);
    }
}
