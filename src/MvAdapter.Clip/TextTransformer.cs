using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>CLIP's text tower (arXiv 2103.00020, section 2.4): a causal transformer read at the end-of-text token.</summary>
public sealed class TextTransformer
{
    private readonly ClipConfig config;
    private readonly Tensor tokenEmbedding;      // [V, D]
    private readonly Tensor positionalEmbedding; // [77, D]
    private readonly TransformerBlock[] blocks;
    private readonly LayerNorm lnFinal;
    private readonly Tensor projection;          // [D, E]

    /// <summary>Names the parameters as OpenAI does, at the root.</summary>
    public TextTransformer(ParameterBuilder p, ClipConfig config)
    {
        this.config = config;
        long width = config.TextWidth;
        tokenEmbedding = p["token_embedding"].Normal("weight", 0.02, config.VocabularySize, width);
        positionalEmbedding = p.Normal("positional_embedding", 0.01, config.ContextLength, width);
        blocks = [.. Enumerable.Range(0, config.TextLayers).Select(layer =>
            TransformerBlock.CreateClip(p["transformer"]["resblocks"][layer], width, config.TextHeads, config.TextLayers, config.TextMlpWidth, config.Activation))];
        lnFinal = new LayerNorm(p["ln_final"], width);
        projection = p.Normal("text_projection", 1 / Math.Sqrt(width), width, config.EmbeddingWidth);
    }

    /// <summary>One vector for each text.</summary>
    /// <param name="ids">Token ids [B, L] (int64), L at most the context length.</param>
    /// <param name="adapters">One adapter a block, or empty for plain CLIP.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <param name="recompute">Whether blocks are computed again for their gradients, to save memory.</param>
    /// <returns>[B, E], not normalised.</returns>
    /// <exception cref="ArgumentException">The texts are longer than the model's context.</exception>
    public Tensor Forward(Tensor ids, IReadOnlyList<BlockAdapter?> adapters, bool training, bool recompute = false)
    {
        var (batch, length) = (ids.Size(0), ids.Size(1));
        if (length > config.ContextLength)
            throw new ArgumentException($"{length} tokens exceed this CLIP's context of {config.ContextLength}", nameof(ids));
        var context = new BlockContext(batch, training) { AttentionMask = CausalMask(length, ids.Device), Recompute = recompute };
        var x = new Residual(Functional.Embedding(tokenEmbedding, ids) + positionalEmbedding.Narrow(0, 0, length));   // [B, L, D]
        for (var layer = 0; layer < blocks.Length; layer++)
            x = blocks[layer].Replace(x, context, layer < adapters.Count ? adapters[layer] : null);
        // The end-of-text token has the largest id of its row.
        var (rows, ends) = (Tensor.Arange(batch, ids.Device), ids.ArgMax(-1));
        var pooled = lnFinal.Forward(x.Sum(tokens => tokens[rows, ends]));                               // [B, D]
        return pooled.To(projection.DType).MatMul(projection).To(DType.Float32);
    }

    /// <summary>Minus infinity above the diagonal: a token sees itself and what stands before it. [L, L].</summary>
    private static Tensor CausalMask(long length, Device device) =>
        Tensor.Full([length, length], double.NegativeInfinity, device: device).UpperTriangle(1);
}
