using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>The hyper-parameters of LoRA.</summary>
public sealed record LoraSettings
{
    /// <summary>Rank r of the update.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>The update is multiplied by alpha / r.</summary>
    public double Alpha { get; init; } = 8;
}

/// <summary>
/// LoRA (arXiv 2106.09685): a low-rank update B A of the query and value projections of every block, in both branches.
/// <see cref="Merge"/> folds it into the weights, so that the trained model costs no more than CLIP.
/// </summary>
public sealed class Lora : Method
{
    private const string Weight = ".attn.in_proj_weight";
    private readonly Dictionary<string, LoraBlock> updates = new(StringComparer.Ordinal);

    private Lora(ClipConfig clip, LoraSettings settings, ParameterBuilder p) : base(Definition, settings, p)
    {
        Setting.RequireWidth("rank", settings.Rank);
        Vision = EachVisionBlock(clip, p, (block, layer) => Update($"visual.transformer.resblocks.{layer}", block, clip.VisionWidth));
        Text = EachTextBlock(clip, p, (block, layer) => Update($"transformer.resblocks.{layer}", block, clip.TextWidth));

        LoraBlock Update(string name, ParameterBuilder block, long width) =>
            updates[name + Weight] = new LoraBlock(block["attn"]["adapter"], width, settings);
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<LoraSettings>(
        "lora", "low-rank updates of queries and values (arXiv 2106.09685)", static (clip, settings, p) => new Lora(clip, settings, p));

    /// <inheritdoc/>
    public override ClipModel Merge(ClipModel clip)
    {
        using var noGrad = new NoGrad();
        return clip.Derive((name, tensor) => updates.TryGetValue(name, out var update) ? update.Merge(tensor) : null);
    }
}

/// <summary>The update of one block's attention: x A^T B^T * alpha / r for queries and for values.</summary>
internal sealed class LoraBlock : BlockAdapter
{
    private readonly double scale;
    private readonly LowRank query;
    private readonly LowRank value;

    public LoraBlock(ParameterBuilder p, long width, LoraSettings settings)
    {
        scale = settings.Alpha / settings.Rank;
        (query, value) = (new LowRank(p["q"], width, settings.Rank), new LowRank(p["v"], width, settings.Rank));
    }

    /// <inheritdoc/>
    public override Tensor OnProjections(Tensor normalized, BlockContext context) =>
        Join(query.Forward(normalized), value.Forward(normalized), -1) * scale;

    /// <summary>The weight [3 D, D] with the update in it, in its own type.</summary>
    public Tensor Merge(Tensor weight)
    {
        using var scope = new TensorScope();
        var update = Join(query.Product(), value.Product(), 0) * scale;
        return scope.Keep((weight.To(update.DType) + update).To(weight.DType));
    }

    /// <summary>Queries, keys, values: the keys keep their projection.</summary>
    private static Tensor Join(Tensor q, Tensor v, int dimension) =>
        Tensor.Concatenate([q, Tensor.Zeros([.. q.Shape], q.DType, q.Device), v], dimension);
}

/// <summary>B A, with B zero at first.</summary>
internal sealed class LowRank
{
    private readonly Tensor a;  // [r, D]
    private readonly Tensor b;  // [D, r]

    public LowRank(ParameterBuilder p, long width, long rank) =>
        (a, b) = (p.Uniform("lora_A", 1 / Math.Sqrt(width), rank, width), p.Zeros("lora_B", width, rank));

    public Tensor Forward(Tensor x) => Linear.Apply(Linear.Apply(x, a, null), b, null);

    public Tensor Product() => b.MatMul(a);
}
