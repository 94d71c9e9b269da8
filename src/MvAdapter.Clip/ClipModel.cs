using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>
/// CLIP: a vision and a text transformer that meet in one embedding space. It holds the parameters under
/// OpenAI's names, save that the biases of queries, keys and values are three, as MV-Adapter trains them.
/// </summary>
public sealed class ClipModel : IDisposable
{
    private string? identity;

    /// <summary>A model whose values come from a source: <see cref="ParameterBuilder.Fresh"/>, or a checkpoint.</summary>
    public ClipModel(ClipConfig config, ParameterSource source, Generator generator)
    {
        Config = config;
        Parameters = new ParameterSet();
        try
        {
            // OpenAI's own order and values: logit_scale begins at ln(1 / 0.07).
            var p = new ParameterBuilder(Parameters, source, generator);
            LogitScale = p.Create("logit_scale", [], static s => Tensor.Full(s, Math.Log(1 / 0.07)));
            Vision = new VisionTransformer(p["visual"], config);
            Text = new TextTransformer(p, config);
        }
        catch
        {
            Parameters.Dispose();
            throw;
        }
    }

    /// <summary>A model of random weights.</summary>
    public static ClipModel CreateRandom(ClipConfig config, ulong seed)
    {
        using var generator = new Generator(seed);
        return new ClipModel(config, ParameterBuilder.Fresh, generator);
    }

    /// <summary>
    /// A model that shares this one's weights in memory, with some parameters of its own. So one backbone serves many
    /// tasks, each with its biases. Either may be freed first.
    /// </summary>
    /// <param name="replace">Gives a parameter's own tensor by name and present value, or null to share it.</param>
    public ClipModel Derive(Func<string, Tensor, Tensor?> replace)
    {
        using var generator = new Generator(0);
        return new ClipModel(Config, (name, _, _) => replace(name, Parameters[name]) ?? Parameters[name].Detach(), generator);
    }

    /// <summary>The same weights in memory with another activation.</summary>
    internal ClipModel With(ActivationFunction activation)
    {
        using var generator = new Generator(0);
        return new ClipModel(Config with { Activation = activation }, (name, _, _) => Parameters[name].Detach(), generator);
    }

    /// <summary>The sizes.</summary>
    public ClipConfig Config { get; }

    /// <summary>All parameters by OpenAI's names.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>A hash of sizes and weights, computed when first asked for and kept: ask before anything trains in place.</summary>
    public string Identity => identity ??= WeightHash.Of(Config.ToString(), Parameters.Items);

    /// <summary>The logarithm of the factor on similarities.</summary>
    public Tensor LogitScale { get; }

    /// <summary>The image tower.</summary>
    public VisionTransformer Vision { get; }

    /// <summary>The text tower.</summary>
    public TextTransformer Text { get; }

    /// <summary>
    /// Whether a parameter is the weight of a product, which may be stored in bfloat16: the blocks' projections and the two
    /// projections into the joint space. The rest stays float32; so does the patch convolution, less than a hundredth of the
    /// work, since almost all that bfloat16 costs an embedding it costs there (docs/performance.md).
    /// </summary>
    public static bool IsProductWeight(string name) =>
        (name.Contains(".resblocks.", StringComparison.Ordinal) && !name.Contains(".adapter.", StringComparison.Ordinal)
            && (name.EndsWith("_proj.weight", StringComparison.Ordinal) || name.EndsWith(".c_fc.weight", StringComparison.Ordinal) || name.EndsWith(".in_proj_weight", StringComparison.Ordinal)))
        || name is "visual.proj" or "text_projection";

    /// <summary>Features of single images. pixels [N, 3, S, S] -> [N, E], not normalised.</summary>
    public Tensor EncodeImages(Tensor pixels) => Vision.Forward(pixels, new BlockContext(pixels.Size(0), Training: false), []);

    /// <summary>Features of texts. ids [N, L] (int64) -> [N, E], not normalised.</summary>
    public Tensor EncodeTexts(Tensor ids) => Text.Forward(ids, [], training: false);

    /// <summary>Frees the parameters.</summary>
    public void Dispose() => Parameters.Dispose();
}
