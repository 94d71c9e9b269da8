using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>CLIP's image tower (arXiv 2103.00020, section 2.4): patches and a class token through a pre-norm transformer.</summary>
public sealed class VisionTransformer
{
    private readonly ClipConfig config;
    private readonly Tensor patchWeight;         // [D, 3, p, p]
    private readonly Tensor classEmbedding;      // [D]
    private readonly Tensor positionalEmbedding; // [1 + P, D]
    private readonly LayerNorm lnPre;
    private readonly TransformerBlock[] blocks;
    private readonly LayerNorm lnPost;
    private readonly Tensor projection;          // [D, E]

    /// <summary>Names the parameters as OpenAI does, below <c>visual.</c>.</summary>
    public VisionTransformer(ParameterBuilder p, ClipConfig config)
    {
        this.config = config;
        long width = config.VisionWidth;
        var scale = 1 / Math.Sqrt(width);
        classEmbedding = p.Normal("class_embedding", scale, width);
        positionalEmbedding = p.Normal("positional_embedding", scale, 1 + config.Grid * config.Grid, width);
        projection = p.Normal("proj", scale, width, config.EmbeddingWidth);
        var patchInputs = 3L * config.PatchSize * config.PatchSize;
        patchWeight = p["conv1"].Uniform("weight", 1 / Math.Sqrt(patchInputs), width, 3, config.PatchSize, config.PatchSize);
        lnPre = new LayerNorm(p["ln_pre"], width);
        blocks = [.. Enumerable.Range(0, config.VisionLayers).Select(layer =>
            TransformerBlock.CreateClip(p["transformer"]["resblocks"][layer], width, config.VisionHeads, config.VisionLayers, config.VisionMlpWidth, config.Activation))];
        lnPost = new LayerNorm(p["ln_post"], width);
    }

    /// <summary>One vector for each frame.</summary>
    /// <param name="pixels">Normalised frames [N, 3, S, S], the frames of a video one after another.</param>
    /// <param name="context">Videos, and the places of frames; the patch grid is filled in.</param>
    /// <param name="adapters">One adapter a block, or empty for plain CLIP.</param>
    /// <returns>[N, E], not normalised.</returns>
    public Tensor Forward(Tensor pixels, BlockContext context, IReadOnlyList<BlockAdapter?> adapters)
    {
        context = context with { GridHeight = config.Grid, GridWidth = config.Grid };
        var x = new Residual(Embed(pixels));
        for (var layer = 0; layer < blocks.Length; layer++)
            x = blocks[layer].Replace(x, context, layer < adapters.Count ? adapters[layer] : null);
        var pooled = lnPost.Forward(x.Sum(tokens => tokens.Select(1, 0)));                    // the class token [N, D]
        return pooled.To(projection.DType).MatMul(projection).To(DType.Float32);
    }

    private Tensor Embed(Tensor pixels)
    {
        using var scope = new TensorScope();
        var patches = Linear.Apply(Patches(pixels.To(patchWeight.DType)), patchWeight.Flatten(1), null);   // [N, P, D]
        var classToken = classEmbedding.To(patches.DType).Expand(patches.Size(0), 1, config.VisionWidth);
        var x = Tensor.Concatenate([classToken, patches], 1) + positionalEmbedding;           // [N, 1 + P, D]
        return scope.Keep(lnPre.Forward(x));
    }

    /// <summary>
    /// The pixels of each patch beside each other: [N, 3, S, S] -> [N, P, 3 p p]. Patches do not overlap, so their convolution is a product,
    /// for which every processor and GPU is quick.
    /// </summary>
    private Tensor Patches(Tensor pixels)
    {
        var (grid, side) = (config.Grid, config.PatchSize);
        var whole = pixels.Narrow(2, 0, grid * side).Narrow(3, 0, grid * side);
        return whole.Reshape(-1, 3, grid, side, grid, side).Permute(0, 2, 4, 1, 3, 5).Reshape(-1, grid * grid, 3L * side * side);
    }
}
