using System.Collections.Concurrent;

namespace MvAdapter.Torch;

/// <summary>
/// Operators of our own (<c>native/</c>) that do several of libtorch's in one pass over memory: on the CPU all of them, on a GPU those that
/// libtorch has no good operator for. Each has a plain twin among the layers, which serves everywhere else and says what is computed.
/// </summary>
public static class Fused
{
    private static readonly Lazy<bool> Registered = new(static () => Operator.Exists("mvt::linear"));
    private static readonly Lazy<bool> Tiled = new(static () => Operator.Exists("mvt::trained_linear"));
    private static readonly ConcurrentDictionary<Device, string?> GpuFaults = new();

    /// <summary>Whether the native library was built with products: it was where oneDNN's headers were.</summary>
    public static bool Available => Registered.Value;

    /// <summary>Whether they are used where they can be; off to measure or to test the plain forms.</summary>
    public static bool Enabled { get; set; } = true;

    /// <summary>Whether they can take this: on the CPU, float32 or bfloat16.</summary>
    public static bool Takes(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Enabled && x.Device.IsCpu && x.DType is DType.Float32 or DType.BFloat16;
    }

    /// <summary>Whether layer normalisation can take this: where <see cref="Takes"/> says so, and on a GPU.</summary>
    public static bool Normalizes(Tensor x) => Takes(x) || Activates(x);

    /// <summary>Whether <see cref="QuickGelu"/> can take this: on a GPU, float32 or bfloat16.</summary>
    public static bool Activates(Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        return Enabled && x.Device.IsCuda && x.DType is DType.Float32 or DType.BFloat16 && GpuFault(x.Device) is null;
    }

    /// <summary>
    /// Why operators of our own cannot run on a GPU, so that libtorch's do the work more slowly; null where they run. They are compiled
    /// for the GPU at hand, by the compiler that comes with libtorch.
    /// </summary>
    public static string? GpuFault(Device device) => GpuFaults.GetOrAdd(device, static device =>
    {
        try
        {
            using var x = Tensor.Zeros([8], device: device);
            QuickGelu(x).Dispose();
            return null;
        }
        catch (TorchException e)
        {
            return e.Message;
        }
    });

    /// <summary>Whether the products can take this: there is oneDNN, and no gradient by the weights is recorded.</summary>
    public static bool Serves(Tensor x, params ReadOnlySpan<Tensor> weights)
    {
        if (!Takes(x) || !Available) return false;
        if (NativeMethods.mvt_grad_mode(-1) == 0) return true;
        foreach (var weight in weights)
            if (weight.RequiresGrad) return false;
        return true;
    }

    /// <summary>
    /// Whether a layer that trains can be multiplied in bfloat16 on this processor: x is bfloat16 on the CPU, the weight float32, and the
    /// processor has instructions for such products.
    /// </summary>
    public static bool Trains(Tensor x, Tensor weight)
    {
        ArgumentNullException.ThrowIfNull(weight);
        return Takes(x) && x.DType == DType.BFloat16 && weight.DType == DType.Float32 && Tiled.Value;
    }

    /// <summary>
    /// x W^T + b (QuickGELU of it where asked for) + plus, with gradients by all of them. x [.., in] and plus [.., out] or null are bfloat16, weight
    /// [out, in] and bias [out] or null float32: the products are of bfloat16, the weights and their gradients are not rounded.
    /// </summary>
    public static Tensor TrainedLinear(Tensor x, Tensor weight, Tensor? bias, bool quickGelu = false, Tensor? plus = null) =>
        Operator.Call("mvt::trained_linear", x, weight, bias, quickGelu, plus);

    /// <summary>x W^T + b. x [.., in], weight [out, in], bias [out] or null, all of one type.</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias) => Operator.Call("mvt::linear", x, weight, bias);

    /// <summary>
    /// contract(activation(expand(x))), without the whole hidden layer in memory. x [.., D], expand [H, D], contract [D, H]. The activation is
    /// exact GELU where asked for, else QuickGELU.
    /// </summary>
    public static Tensor Mlp(Tensor x, Tensor expand, Tensor? expandBias, Tensor contract, Tensor? contractBias, bool gelu = false) =>
        Operator.Call("mvt::mlp", x, expand, expandBias?.To(expand.DType), contract, contractBias?.To(contract.DType), gelu);

    /// <summary>x sigmoid(1.702 x), on a GPU.</summary>
    public static Tensor QuickGelu(Tensor x) => Operator.Call("mvt::quick_gelu", x);

    /// <summary>
    /// softmax(q k^T / sqrt(d) + mask) v for each head, without the scores in memory. qkv [N, L, 3D], heads beside each other within queries,
    /// keys and values; mask float32 [L, L] or [N, 1, 1, L], or null. [N, L, D].
    /// </summary>
    public static Tensor Attention(Tensor qkv, long heads, Tensor? mask) => Operator.Call("mvt::attention", qkv, heads, mask);

    /// <summary>Layer normalisation (epsilon 1e-5) of float32 x [.., D], given in a type.</summary>
    public static Tensor LayerNorm(Tensor x, Tensor weight, Tensor bias, DType type) => Operator.Call("mvt::layer_norm", x, weight, bias, (long)type);

    /// <summary>x + delta, and its layer normalisation in a type. x float32 [.., D], delta of the same shape.</summary>
    public static (Tensor Sum, Tensor Normalized) AddLayerNorm(Tensor x, Tensor delta, Tensor weight, Tensor bias, DType type) =>
        Operator.CallMany("mvt::add_layer_norm", x, delta, weight, bias, (long)type) is [{ } sum, { } normalized] ? (sum, normalized)
            : throw new TorchException("mvt::add_layer_norm returned nothing");
}
