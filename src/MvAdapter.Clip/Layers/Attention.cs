using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>Multi-head self-attention with one product for queries, keys and values.</summary>
public sealed class Attention
{
    private readonly int heads;
    private readonly Tensor inWeight;
    private readonly Tensor[] inBiases;
    private readonly Linear output;

    /// <summary>Weights normal with the given deviations, biases zero.</summary>
    /// <param name="p">Where the parameters go.</param>
    /// <param name="width">The width of the tokens.</param>
    /// <param name="heads">Attention heads; they divide the width.</param>
    /// <param name="inDeviation">Standard deviation of the input projection.</param>
    /// <param name="outDeviation">Standard deviation of the output projection.</param>
    /// <param name="separateBiases">
    /// The biases of queries, keys and values as three parameters, as the published model trains (and clips) them.
    /// </param>
    public Attention(ParameterBuilder p, long width, int heads, double inDeviation, double outDeviation, bool separateBiases)
    {
        this.heads = heads;
        inWeight = p.Normal("in_proj_weight", inDeviation, 3 * width, width);
        inBiases = separateBiases
            ? [p["q_proj"].Zeros("bias", width), p["k_proj"].Zeros("bias", width), p["v_proj"].Zeros("bias", width)]
            : [p.Zeros("in_proj_bias", 3 * width)];
        output = Linear.CreateNormal(p["out_proj"], width, width, outDeviation);
    }

    /// <summary>The type that its first product takes.</summary>
    public DType DType => inWeight.DType;

    /// <summary>Attention of every token to every other.</summary>
    /// <param name="x">Tokens [N, L, D].</param>
    /// <param name="mask">Added to the scores before softmax: [L, L], or [N, 1, 1, L] for masked keys; null for none.</param>
    /// <param name="projectionDelta">Added to the projections [N, L, 3D] (queries, keys, values); null for none.</param>
    public Tensor Forward(Tensor x, Tensor? mask = null, Tensor? projectionDelta = null) => output.Forward(Mix(Project(x, projectionDelta), mask));

    /// <summary>The same, and the keys, averaged over heads: what tells how alike tokens are.</summary>
    internal (Tensor Attended, Tensor Keys) ForwardWithKeys(Tensor x, Tensor? mask, Tensor? projectionDelta)
    {
        var projected = Project(x, projectionDelta);
        var (n, length, width) = (projected.Size(0), projected.Size(1), projected.Size(2) / 3);
        var keys = projected.Detach().Narrow(2, width, width).Reshape(n, length, heads, width / heads).Mean([2]);
        return (output.Forward(Mix(projected, mask)), keys);
    }

    /// <summary>Queries, keys and values [N, L, 3D].</summary>
    private Tensor Project(Tensor x, Tensor? delta)
    {
        var bias = inBiases.Length == 1 ? inBiases[0] : Tensor.Concatenate(inBiases);
        var projected = Linear.Apply(x, inWeight, bias);                                 // [N, L, 3D]
        return delta is null ? projected : projected + delta.To(projected.DType);
    }

    private Tensor Mix(Tensor projected, Tensor? mask) =>
        Fused.Takes(projected) ? Fused.Attention(projected, heads, mask) : ScaledDotProduct(projected, mask);

    /// <summary>softmax(q k^T / sqrt(d) + mask) v. Queries, keys and values [N, L, 3D] -> [N, L, D].</summary>
    private Tensor ScaledDotProduct(Tensor projected, Tensor? mask)
    {
        var (n, length, width) = (projected.Size(0), projected.Size(1), projected.Size(2) / 3);
        var parts = projected.View(n, length, 3, heads, width / heads).Permute(2, 0, 3, 1, 4);
        var (q, k, v) = (parts.Select(0, 0), parts.Select(0, 1), parts.Select(0, 2));    // [N, H, L, d]
        if (Functional.HasScaledDotProductAttention && projected.Device.IsCuda)
            return Functional.ScaledDotProductAttention(q, k, v, mask?.To(q.DType)).Transpose(1, 2).Reshape(n, length, width);
        var scores = (q * (1 / Math.Sqrt(width / heads))).MatMul(k.Transpose(-2, -1));   // [N, H, L, L]
        if (mask is not null) scores = scores + mask.To(scores.DType);
        var mixed = Functional.Softmax(scores, -1).MatMul(v);                            // [N, H, L, d]
        return mixed.Transpose(1, 2).Reshape(n, length, width);
    }
}
