using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// A pre-norm transformer block: x + attention(ln_1(x)), then x + mlp(ln_2(x)), with the places where a
/// <see cref="BlockAdapter"/> may add its delta. CLIP is made of it, and so is MV-Adapter's inner block.
/// </summary>
public sealed class TransformerBlock
{
    private readonly LayerNorm ln1;
    private readonly Attention attention;
    private readonly LayerNorm ln2;
    private readonly Linear expand;
    private readonly Linear contract;
    private readonly ActivationFunction activation;

    private TransformerBlock(LayerNorm ln1, Attention attention, LayerNorm ln2, Linear expand, Linear contract, ActivationFunction activation) =>
        (this.ln1, this.attention, this.ln2, this.expand, this.contract, this.activation) = (ln1, attention, ln2, expand, contract, activation);

    /// <summary>A block of CLIP, initialised as OpenAI's code does for a model of that depth.</summary>
    /// <param name="p">Where the parameters go.</param>
    /// <param name="width">The width D of the tokens.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="layers">Blocks of the tower.</param>
    /// <param name="mlpWidth">The width between the layers of the MLP; 0 for 4 D.</param>
    /// <param name="activation">What stands between them.</param>
    public static TransformerBlock CreateClip(
        ParameterBuilder p, long width, int heads, int layers, long mlpWidth = 0, ActivationFunction activation = ActivationFunction.QuickGelu)
    {
        if (mlpWidth == 0) mlpWidth = 4 * width;
        var attention = 1 / Math.Sqrt(width);
        var projection = attention / Math.Sqrt(2.0 * layers);
        return new TransformerBlock(
            new LayerNorm(p["ln_1"], width),
            new Attention(p["attn"], width, heads, attention, projection, separateBiases: true),
            new LayerNorm(p["ln_2"], width),
            Linear.CreateNormal(p["mlp"]["c_fc"], width, mlpWidth, 1 / Math.Sqrt(2.0 * width)),
            Linear.CreateNormal(p["mlp"]["c_proj"], mlpWidth, width, projection),
            activation);
    }

    /// <summary>The block inside an adapter (model.md section 7): width m, deviations by the branch's width D.</summary>
    public static TransformerBlock CreateInner(ParameterBuilder p, long width, int heads, long branchWidth)
    {
        var deviation = 1 / Math.Sqrt(2.0 * branchWidth);
        return new TransformerBlock(
            new LayerNorm(p["ln_1"], width),
            new Attention(p["attn"], width, heads, 1 / Math.Sqrt(branchWidth), deviation, separateBiases: false),
            new LayerNorm(p["ln_2"], width),
            Mlp(p["mlp"]["c_fc"], width, 4 * width),
            Mlp(p["mlp"]["c_proj"], 4 * width, width),
            ActivationFunction.QuickGelu);

        Linear Mlp(ParameterBuilder part, long input, long output) => new(
            part.Normal("weight", deviation, output, input), part.Uniform("bias", 1 / Math.Sqrt(input), output));
    }

    /// <summary>The block without an adapter.</summary>
    /// <param name="x">Tokens [N, L, D].</param>
    /// <param name="mask">Added to the attention scores: [L, L] or [N, 1, 1, L]; null for none.</param>
    public Tensor Forward(Tensor x, Tensor? mask = null)
    {
        using var scope = new TensorScope();
        return scope.Keep(Forward(new Residual(x), mask).Sum());
    }

    /// <summary>The block with an adapter's deltas at its places.</summary>
    public Tensor Forward(Tensor x, BlockContext context, BlockAdapter? adapter)
    {
        using var scope = new TensorScope();
        return scope.Keep(Forward(new Residual(x), context, adapter).Sum());
    }

    /// <summary>The same in the midst of a tower, where the input has no other use: it is freed, and lives on only as far as a gradient needs it.</summary>
    internal Residual Replace(Residual x, BlockContext context, BlockAdapter? adapter)
    {
        var y = Forward(x, context, adapter);
        x.Free();
        return y;
    }

    private Residual Forward(Residual x, BlockContext context, BlockAdapter? adapter)
    {
        if (!context.Recompute) return Compute(x, context, adapter);
        using var scope = new TensorScope();
        TokenGroups? inside = null, groups = null;
        var sum = GradientCheckpoint.Run(x.Sum(), input =>
        {
            var y = Compute(new Residual(input, null, x.Groups), context, adapter);
            // A segment hands out one tensor; these leave it the first time that it runs, and are the same the second.
            inside ??= y.Groups is { } made ? new TokenGroups(made.Sizes.Detach().Unscoped(), made.Places.Detach().Unscoped()) : null;
            return y.Sum();
        });
        if (inside is not null)
        {
            groups = new TokenGroups(scope.Keep(inside.Sizes.Detach()), scope.Keep(inside.Places.Detach()));
            inside.Sizes.Dispose();
            inside.Places.Dispose();
        }
        return new Residual(scope.Keep(sum), null, groups);
    }

    private Residual Compute(Residual x, BlockContext context, BlockAdapter? adapter) => adapter is null && context.MergeTokens == 0
        ? Forward(x, context.AttentionMask) : Adapted(x, context with { Groups = x.Groups }, adapter ?? NoAdapter);

    private static readonly BlockAdapter NoAdapter = new None();

    private sealed class None : BlockAdapter;

    private Residual Forward(Residual residual, Tensor? mask)
    {
        // What the block computes on the way goes when it ends; a graph keeps for itself what it needs.
        using var scope = new TensorScope();
        var (x, normalized) = ln1.Forward(residual, attention.DType);
        (x, normalized) = ln2.Forward(x, attention.Forward(normalized, mask), expand.Weight.DType);
        return new Residual(scope.Keep(x), scope.Keep(Mlp(normalized)));
    }

    private Residual Adapted(Residual residual, BlockContext context, BlockAdapter adapter)
    {
        using var scope = new TensorScope();
        var (x, normalized) = ln1.Forward(residual, attention.DType);
        if (adapter.OnInput(x, context) is { } delta) (x, normalized) = ln1.Forward(x, delta, attention.DType);
        if (context.MergeTokens == 0)
        {
            var attended = attention.Forward(normalized, context.AttentionMask, adapter.OnProjections(normalized, context));
            (x, normalized) = ln2.Forward(x, Add(attended, adapter.BesideAttention(x, normalized, context)), expand.Weight.DType);
        }
        else
        {
            var (attended, keys) = attention.ForwardWithKeys(normalized, context.Groups?.ScoreMask(), adapter.OnProjections(normalized, context));
            (x, var groups) = TokenMerging.Merge(x + Add(attended, adapter.BesideAttention(x, normalized, context)), keys, context.Groups, context.MergeTokens);
            context = context with { Groups = groups };
            normalized = ln2.Forward(x, expand.Weight.DType);
        }
        var h = Mlp(normalized);
        var added = Add(adapter.AfterMlp(h, context), adapter.BesideMlp(x, normalized, context));
        context.Groups?.KeptBy(scope);
        return new Residual(scope.Keep(x), scope.Keep(added), context.Groups);
    }

    private Tensor Mlp(Tensor x)
    {
        var input = x.To(expand.Weight.DType);
        return Fused.Serves(input, expand.Weight, contract.Weight)
            ? Fused.Mlp(input, expand.Weight, expand.Bias, contract.Weight, contract.Bias, activation == ActivationFunction.Gelu)
            : contract.Forward(Activation.Apply(activation, expand.Forward(input)));
    }

    private static Tensor Add(Tensor x, Tensor? delta) => delta is null ? x : x + delta;
}
