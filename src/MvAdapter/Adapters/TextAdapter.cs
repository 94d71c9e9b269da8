using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// MV-Adapter's text adapter (model.md section 3): the MLP's output goes down to a bottleneck, through one causal
/// transformer block of that width, and up again.
/// </summary>
internal sealed class TextAdapter : BlockAdapter
{
    private readonly double scale;
    private readonly LayerNorm? lnIn;
    private readonly Bottleneck bottleneck;
    private readonly Tensor positionalEmbedding; // [words, m]
    private readonly LayerNorm lnPre;
    private readonly TransformerBlock block;

    public TextAdapter(ParameterBuilder p, long width, MvAdapterConfig config, LayerSharing shared)
    {
        scale = config.Scale;
        if (config.LayerNormIn) lnIn = new LayerNorm(p["ln_in"], width);
        bottleneck = new Bottleneck(p, width, config, shared, 1 / Math.Sqrt(2.0 * width), uniform: false);
        positionalEmbedding = p.Normal("positional_embedding", 0.01, config.Words, config.Bottleneck);
        lnPre = new LayerNorm(p["ln_pre"], config.Bottleneck);
        block = TransformerBlock.CreateInner(p["block"], config.Bottleneck, config.Heads, width);
    }

    /// <inheritdoc/>
    public override Tensor AfterMlp(Tensor h, BlockContext context)
    {
        var d = bottleneck.Down(lnIn is null ? h : lnIn.Forward(h, h.DType), quickGelu: false);   // [B, L, m]
        d = lnPre.Forward(d + positionalEmbedding.Narrow(0, 0, d.Size(1)));
        d = Activation.QuickGelu(block.Forward(d, context.AttentionMask));
        return bottleneck.Up(d, scale, h);
    }
}
