namespace MvAdapter.Torch;

/// <summary>
/// Operators that do several of libtorch's in one pass (<c>native/fused.cpp</c>), for weights that do not train, on the CPU. Each has
/// a plain twin among the layers, which serves everywhere else and says what is computed.
/// </summary>
public static class Fused
{
    private static readonly Lazy<bool> Registered = new(static () => Operator.Exists("mvt::linear"));

    /// <summary>Whether the native library was built with them: it was where oneDNN's headers were.</summary>
    public static bool Available => Registered.Value;

    /// <summary>Whether they are used where they can be; off to measure or to test the plain forms.</summary>
    public static bool Enabled { get; set; } = true;

    /// <summary>Whether they can take these: on the CPU, float32 or bfloat16, and no gradient by the weights is recorded.</summary>
    public static bool Serves(Tensor x, params ReadOnlySpan<Tensor> weights)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (!Enabled || !Available || !x.Device.IsCpu || x.DType is not (DType.Float32 or DType.BFloat16)) return false;
        if (NativeMethods.mvt_grad_mode(-1) == 0) return true;
        foreach (var weight in weights)
            if (weight.RequiresGrad) return false;
        return true;
    }

    /// <summary>x W^T + b. x [.., in], weight [out, in], bias [out] or null, all of one type.</summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias) => Operator.Call("mvt::linear", x, weight, bias);

    /// <summary>contract(QuickGELU(expand(x))), without the whole hidden layer in memory. x [.., D], expand [H, D], contract [D, H].</summary>
    public static Tensor Mlp(Tensor x, Tensor expand, Tensor? expandBias, Tensor contract, Tensor? contractBias) =>
        Operator.Call("mvt::mlp", x, expand, expandBias?.To(expand.DType), contract, contractBias?.To(contract.DType));
}
