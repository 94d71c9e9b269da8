using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>What stands between the two layers of a block's MLP.</summary>
public enum ActivationFunction
{
    /// <summary>x * sigmoid(1.702 x): OpenAI's CLIPs, and MV-Adapter's own blocks.</summary>
    QuickGelu,

    /// <summary>x times the integral of the normal distribution up to x, exactly: most CLIPs of the OpenCLIP family.</summary>
    Gelu,
}

/// <summary>The activations of CLIP.</summary>
public static class Activation
{
    /// <summary>Each by the name that <c>--activation</c> and configurations use.</summary>
    public static string Name(ActivationFunction function) => function == ActivationFunction.Gelu ? "gelu" : "quick_gelu";

    /// <summary>The activation of a name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static ActivationFunction Parse(string name) => name switch
    {
        "gelu" => ActivationFunction.Gelu,
        "quick_gelu" => ActivationFunction.QuickGelu,
        _ => throw new UsageException($"no activation of a CLIP is called '{TextForMessage.Quote(name, 40)}'; there are gelu and quick_gelu"),
    };

    /// <summary>Applies one.</summary>
    public static Tensor Apply(ActivationFunction function, Tensor x) => function == ActivationFunction.Gelu ? Functional.Gelu(x) : QuickGelu(x);

    /// <summary>x * sigmoid(1.702 x).</summary>
    public static Tensor QuickGelu(Tensor x) => Fused.Activates(x) ? Fused.QuickGelu(x) : x * (x * 1.702).Sigmoid();
}
