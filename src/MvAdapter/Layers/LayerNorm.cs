using MvAdapter.Torch;

namespace MvAdapter.Layers;

/// <summary>Layer normalisation with epsilon 1e-5, in float32 whatever comes in.</summary>
public sealed class LayerNorm
{
    private const double Epsilon = 1e-5;
    private readonly Tensor weight;
    private readonly Tensor bias;

    /// <summary>Begins as the plain normalisation: weight one, bias zero.</summary>
    public LayerNorm(ParameterBuilder p, long width) => (weight, bias) = (p.Ones("weight", width), p.Zeros("bias", width));

    /// <summary>[.., width] -> [.., width].</summary>
    public Tensor Forward(Tensor x) => Functional.LayerNorm(x.To(weight.DType), weight, bias, Epsilon);
}
