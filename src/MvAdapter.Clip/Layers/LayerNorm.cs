using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>Layer normalisation with epsilon 1e-5, in float32 whatever comes in.</summary>
public sealed class LayerNorm
{
    private const double Epsilon = 1e-5;
    private const long Widest = 4096;   // of the fused form: on a GPU a row lies in registers
    private readonly Tensor weight;
    private readonly Tensor bias;

    /// <summary>Begins as the plain normalisation: weight one, bias zero.</summary>
    public LayerNorm(ParameterBuilder p, long width) => (weight, bias) = (p.Ones("weight", width), p.Zeros("bias", width));

    /// <summary>[.., width] -> [.., width], in the type that the next product takes (by default the weight's).</summary>
    public Tensor Forward(Tensor x, DType? type = null)
    {
        var wanted = type ?? weight.DType;
        return Fuses(x) ? Fused.LayerNorm(x, weight, bias, wanted) : Plain(x).To(wanted);
    }

    /// <summary>The residual stream with what was pending, and that normalised.</summary>
    public (Tensor Sum, Tensor Normalized) Forward(Residual x, DType type) =>
        x.Pending is { } pending ? Forward(x.Stream, pending, type) : (x.Stream, Forward(x.Stream, type));

    /// <summary>x + delta, and that normalised.</summary>
    public (Tensor Sum, Tensor Normalized) Forward(Tensor x, Tensor delta, DType type)
    {
        if (Fuses(x) && Fused.Normalizes(delta)) return Fused.AddLayerNorm(x, delta, weight, bias, type);
        var sum = x + delta;
        return (sum, Plain(sum).To(type));
    }

    private Tensor Plain(Tensor x)
    {
        // On a GPU libtorch 2.11 gets the bias's gradient wrong where the weight has none and there are more than 65,536 rows.
        return x.Device.IsCuda && bias.RequiresGrad && !weight.RequiresGrad
            ? Functional.LayerNorm(x.To(weight.DType), weight, null, Epsilon) + bias
            : Functional.LayerNorm(x.To(weight.DType), weight, bias, Epsilon);
    }

    private bool Fuses(Tensor x) => Fused.Normalizes(x) && weight.Size(0) <= Widest && x.DType == DType.Float32 && weight.DType == DType.Float32;
}
