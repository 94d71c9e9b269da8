using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// x W^T + b. It computes in the type of its weight: frozen weights stored as bfloat16 run as bfloat16. On a GPU and on processors that multiply
/// bfloat16 many times as fast as float32, an input in bfloat16 is multiplied as such by a weight of float32 too: what trains, whose exact value
/// stays in float32.
/// </summary>
public sealed class Linear(Tensor weight, Tensor? bias = null)
{
    /// <summary>The weight [out, in].</summary>
    public Tensor Weight { get; } = weight;

    /// <summary>The bias [out], or null.</summary>
    public Tensor? Bias { get; } = bias;

    /// <summary>PyTorch's default initialisation: weight and bias uniform within ±1/sqrt(in).</summary>
    public static Linear Create(ParameterBuilder p, long input, long output, bool bias = true)
    {
        var bound = 1 / Math.Sqrt(input);
        return new Linear(p.Uniform("weight", bound, output, input), bias ? p.Uniform("bias", bound, output) : null);
    }

    /// <summary>Normally distributed weight, zero bias.</summary>
    public static Linear CreateNormal(ParameterBuilder p, long input, long output, double deviation) =>
        new(p.Normal("weight", deviation, output, input), p.Zeros("bias", output));

    /// <summary>Uniformly distributed weight within the bound, zero bias.</summary>
    public static Linear CreateUniform(ParameterBuilder p, long input, long output, double bound) =>
        new(p.Uniform("weight", bound, output, input), p.Zeros("bias", output));

    /// <summary>Weight and bias zero: a layer whose output begins as nothing.</summary>
    public static Linear CreateZero(ParameterBuilder p, long input, long output) =>
        new(p.Zeros("weight", output, input), p.Zeros("bias", output));

    /// <summary>[.., in] -> [.., out].</summary>
    public Tensor Forward(Tensor x) => Apply(x, Weight, Bias);

    /// <summary>The same with a given weight, such as a tied one.</summary>
    public Tensor Forward(Tensor x, Tensor weight) => Apply(x, weight, Bias);

    /// <summary>The same of any weight [out, in] and bias [out]: [.., in] -> [.., out].</summary>
    /// <param name="x">What goes in.</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out], or null.</param>
    /// <param name="quickGelu">Whether QuickGELU follows.</param>
    /// <param name="plus">Added last [.., out], or null.</param>
    public static Tensor Apply(Tensor x, Tensor weight, Tensor? bias, bool quickGelu = false, Tensor? plus = null)
    {
        if (Fused.Trains(x, weight) && plus?.DType is null or DType.BFloat16) return Fused.TrainedLinear(x, weight, bias, quickGelu, plus);
        var y = Product(x, weight, bias);
        if (quickGelu) y = Activation.QuickGelu(y);
        return plus is null ? y : plus + y;
    }

    private static Tensor Product(Tensor x, Tensor weight, Tensor? bias)
    {
        if (x.DType == DType.BFloat16 && x.Device.IsCuda) weight = weight.To(DType.BFloat16);
        (x, bias) = (x.To(weight.DType), bias?.To(weight.DType));
        return Fused.Serves(x, weight) ? Fused.Linear(x, weight, bias) : Functional.Linear(x, weight, bias);
    }
}
