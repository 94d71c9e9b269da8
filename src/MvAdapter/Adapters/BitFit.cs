using MvAdapter.Clip;
using MvAdapter.Clip.Layers;

namespace MvAdapter.Adapters;

/// <summary>BitFit (arXiv 2106.10199): of CLIP, the biases train; nothing is added.</summary>
public sealed class BitFit : Method
{
    private BitFit(NoSettings settings, ParameterBuilder p) : base(Definition, settings, p) { }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<NoSettings>(
        "bitfit", "CLIP's biases alone (arXiv 2106.10199)", static (_, settings, p) => new BitFit(settings, p));

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => clipParameter.EndsWith(".bias", StringComparison.Ordinal);

    /// <inheritdoc/>
    public override ClipModel Merge(ClipModel clip) => clip.Derive(static (_, _) => null);
}
