using MvAdapter.Clip;
using MvAdapter.Clip.Layers;

namespace MvAdapter.Adapters;

/// <summary>The least that can be trained of each branch: its projection into the joint space.</summary>
public sealed class LinearProjections : Method
{
    private LinearProjections(NoSettings settings, ParameterBuilder p) : base(Definition, settings, p) { }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<NoSettings>(
        "linear", "CLIP's two projections into the joint space alone", static (_, settings, p) => new LinearProjections(settings, p));

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => clipParameter is "visual.proj" or "text_projection";

    /// <inheritdoc/>
    public override ClipModel Merge(ClipModel clip) => clip.Derive(static (_, _) => null);
}
