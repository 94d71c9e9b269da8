using MvAdapter.Torch;

namespace MvAdapter.Layers;

/// <summary>CLIP's activation.</summary>
public static class Activation
{
    /// <summary>x * sigmoid(1.702 x).</summary>
    public static Tensor QuickGelu(Tensor x) => Fused.Activates(x) ? Fused.QuickGelu(x) : x * (x * 1.702).Sigmoid();
}
