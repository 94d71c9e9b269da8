using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// The two projections of an MV-Adapter and what ties them to the other branch: down to the bottleneck, up and back.
/// </summary>
internal sealed class Bottleneck
{
    private readonly Linear? down;
    private readonly KroneckerInteraction? kronecker;
    private readonly Tensor downBias;
    private readonly Linear up;
    private readonly CrossModalityTying? tying;

    /// <summary>Down initialised by the branch, up zero: the untrained adapter adds nothing.</summary>
    /// <param name="p">Where the parameters go.</param>
    /// <param name="width">The branch width D.</param>
    /// <param name="config">Bottleneck and tying.</param>
    /// <param name="shared">What the branches of this layer share.</param>
    /// <param name="deviation">Standard deviation of the down weight.</param>
    /// <param name="uniform">Whether the down weight is uniform (video) or normal (text).</param>
    public Bottleneck(ParameterBuilder p, long width, MvAdapterConfig config, LayerSharing shared, double deviation, bool uniform)
    {
        long m = config.Bottleneck;
        if (shared.Kronecker is { } factors)
        {
            kronecker = new KroneckerInteraction(p, factors, m, width, deviation);
            downBias = p["down"].Zeros("bias", m);
        }
        else
        {
            // A uniform distribution over [-b, b] has deviation b / sqrt 3.
            var weight = uniform ? p["down"].Uniform("weight", deviation * Math.Sqrt(3), m, width) : p["down"].Normal("weight", deviation, m, width);
            downBias = p["down"].Zeros("bias", m);
            down = new Linear(weight, downBias);
        }
        up = Linear.CreateZero(p["up"], m, width);
        if (shared.Factor is { } factor) tying = new CrossModalityTying(p, config.Tying!, factor, m, width);
    }

    /// <summary>Whether class and patch tokens go down by different weights.</summary>
    public bool ClassOnlyDown => tying is { Tying: { Down: true, ClassOnly: true } };

    /// <summary>[.., D] -> [.., m], by the tied weight, and QuickGELU where asked for.</summary>
    public Tensor Down(Tensor x, bool quickGelu) => Linear.Apply(x, tying is null ? Plain() : tying.Down(Plain()), downBias, quickGelu);

    /// <summary>The same by the weight as it is.</summary>
    public Tensor DownUntied(Tensor x, bool quickGelu) => Linear.Apply(x, Plain(), downBias, quickGelu);

    /// <summary>Whether its products with such an input are of bfloat16: then what it keeps for its gradient is little.</summary>
    public bool KeepsLittle(Tensor x) => Fused.Trains(x, up.Weight);

    /// <summary>Whether class and patch tokens go up by different weights.</summary>
    public bool ClassOnlyUp => tying is { Tying.Down: false };

    /// <summary>plus + scale times [.., m] -> [.., D], by the tied weight.</summary>
    public Tensor Up(Tensor x, double scale, Tensor plus) => Up(x, tying is null ? up.Weight : tying.Up(up.Weight), scale, plus);

    /// <summary>The same by the weight as it is.</summary>
    public Tensor UpUntied(Tensor x, double scale, Tensor plus) => Up(x, up.Weight, scale, plus);

    private Tensor Up(Tensor x, Tensor weight, double scale, Tensor plus)
    {
        // Where products are of bfloat16 the scale goes into the weight, which is rounded anyway; else to x, as published.
        if (Fused.Trains(plus, weight)) return Linear.Apply(x.To(plus.DType), weight * scale, up.Bias! * scale, plus: plus);
        return Linear.Apply(x * scale, weight, up.Bias! * scale, plus: plus);
    }

    private Tensor Plain() => kronecker?.Weight() ?? down!.Weight;
}

/// <summary>What the video and the text adapter of one layer share.</summary>
/// <param name="Factor">The tied factor s [factorDim], or null.</param>
/// <param name="Kronecker">The shared Kronecker factors [n, n, n], or null.</param>
internal readonly record struct LayerSharing(Tensor? Factor, Tensor? Kronecker);
