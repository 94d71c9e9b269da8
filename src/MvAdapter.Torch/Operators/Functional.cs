namespace MvAdapter.Torch;

/// <summary>Functions of neural networks over tensors.</summary>
public static class Functional
{
    private static readonly Lazy<bool> FusedAttention = new(static () => Operator.Exists("aten::scaled_dot_product_attention"));

    /// <summary>x W^T + b over the last dimension. x [.., in], weight [out, in], bias [out] or null.</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null) => Operator.Call("aten::linear", x, weight, bias);

    /// <summary>Normalises the last dimension to mean 0 and variance 1, then scales and shifts it.</summary>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor? bias, double epsilon) =>
        Operator.Call("aten::layer_norm", x, new[] { weight.Size(0) }, weight, bias, epsilon);

    /// <summary>Softmax over a dimension.</summary>
    public static Tensor Softmax(Tensor x, long dimension) => Operator.Call("aten::softmax.int", x, dimension);

    /// <summary>Whether this libtorch has attention as one operator: from 2.0 on.</summary>
    public static bool HasScaledDotProductAttention => FusedAttention.Value;

    /// <summary>
    /// softmax(q k^T / sqrt(d) + mask) v by libtorch's own choice of a fused kernel. q, k, v [N, H, L, d]; mask added to the scores,
    /// to be broadcast to [N, H, L, L], or null.
    /// </summary>
    public static Tensor ScaledDotProductAttention(Tensor q, Tensor k, Tensor v, Tensor? mask = null) =>
        Operator.Call("aten::scaled_dot_product_attention", q, k, v, mask);

    /// <summary>The logarithm of softmax over a dimension.</summary>
    public static Tensor LogSoftmax(Tensor x, long dimension) => Operator.Call("aten::log_softmax.int", x, dimension);

    /// <summary>Mean cross-entropy. logits [N, C], targets [N] (int64).</summary>
    public static Tensor CrossEntropy(Tensor logits, Tensor targets) => Operator.Call("aten::cross_entropy_loss", logits, targets);

    /// <summary>Rows of a table by number. table [V, D], ids int64 [..] -> [.., D].</summary>
    public static Tensor Embedding(Tensor table, Tensor ids) => Operator.Call("aten::embedding", table, ids);

    /// <summary>2-D convolution. x [N, C, H, W], weight [O, C / groups, kh, kw].</summary>
    public static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias = null, long[]? stride = null, long[]? padding = null, long groups = 1) =>
        Operator.Call("aten::conv2d", x, weight, bias, stride ?? [1, 1], padding ?? [0, 0], new long[] { 1, 1 }, groups);

    /// <summary>3-D convolution. x [N, C, T, H, W], weight [O, C / groups, kt, kh, kw].</summary>
    public static Tensor Conv3d(Tensor x, Tensor weight, Tensor? bias = null, long[]? stride = null, long[]? padding = null, long groups = 1) =>
        // Contiguous: where channels come last, libtorch 2.6 gives a depthwise convolution over space a wrong gradient.
        Operator.Call("aten::conv3d", x.Contiguous(), weight, bias, stride ?? [1, 1, 1], padding ?? [0, 0, 0], new long[] { 1, 1, 1 }, groups);

    /// <summary>Divides by the Euclidean norm of a dimension, as the published code does (no epsilon).</summary>
    public static Tensor Normalize(Tensor x, long dimension = -1)
    {
        using var norm = x.Norm(dimension);
        return x / norm;
    }

    /// <summary>Zeroes each element with probability p in training and scales the rest, drawing from the device's own generator.</summary>
    public static Tensor Dropout(Tensor x, double p, bool training) => p == 0 || !training ? x : Operator.Call("aten::dropout", x, p, training);

    /// <summary>The exact GELU: x times the normal distribution function of x.</summary>
    public static Tensor Gelu(Tensor x) => Operator.Call("aten::gelu", x);

    /// <summary>The Kronecker product of two matrices: [a, b] kron [c, d] -> [ac, bd].</summary>
    public static Tensor Kronecker(Tensor a, Tensor b) => Operator.Call("aten::kron", a, b);
}
