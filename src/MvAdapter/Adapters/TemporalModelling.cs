using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// The temporal modelling of MV-Adapter (model.md section 4, steps 4 to 6): one transformer block over a learned context
/// token, the class tokens and the pooled patches of all frames.
/// </summary>
internal sealed class TemporalModelling
{
    private const double MaskedScore = -1e6;
    private readonly MvAdapterConfig config;
    private readonly Tensor positionalEmbedding; // [2F + 1, m]
    private readonly Tensor contextToken;        // cc [m]
    private readonly LayerNorm lnPre;
    private readonly TransformerBlock block;

    public TemporalModelling(ParameterBuilder p, long branchWidth, MvAdapterConfig config)
    {
        this.config = config;
        long m = config.Bottleneck;
        positionalEmbedding = p.Normal("positional_embedding", 0.01, 2 * config.Frames + 1, m);
        contextToken = p.Normal("cc", 1 / Math.Sqrt(m), m);
        lnPre = new LayerNorm(p["ln_pre"], m);
        block = TransformerBlock.CreateInner(p["block"], m, config.Heads, branchWidth);
    }

    /// <summary>Classes and pooled patches [B, F, m] -> cc' [B, 1, m] (null without a context token), classes', pooled'.</summary>
    public (Tensor? ContextToken, Tensor Classes, Tensor Pooled) Forward(Tensor classes, Tensor pooled, BlockContext context)
    {
        var (videos, frames) = (context.Batch, context.Frames);
        Tensor[] sequence = config.ContextToken
            ? [contextToken.Expand(videos, 1, config.Bottleneck), classes, pooled]
            : [classes, pooled];
        var x = Tensor.Concatenate(sequence, 1);
        x = lnPre.Forward(x + positionalEmbedding.Narrow(0, 0, x.Size(1)));
        x = Activation.QuickGelu(block.Forward(x, KeyMask(context)));
        var first = config.ContextToken ? 1 : 0;
        return (config.ContextToken ? x.Narrow(1, 0, 1) : null, x.Narrow(1, first, frames), x.Narrow(1, first + frames, frames));
    }

    /// <summary>-1e6 for keys of padded frames in both halves; the context token is never masked. [B, 1, 1, length].</summary>
    private Tensor? KeyMask(BlockContext context)
    {
        if (context.FrameMask is not { } mask) return null;
        Tensor[] parts = config.ContextToken ? [Tensor.Ones([context.Batch, 1], device: mask.Device), mask, mask] : [mask, mask];
        return ((1 - Tensor.Concatenate(parts, 1)) * MaskedScore).Unsqueeze(1).Unsqueeze(1);
    }
}
