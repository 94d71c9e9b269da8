using MvAdapter.Clip;
using MvAdapter.Clip.Layers;

namespace MvAdapter.Adapters;

/// <summary>
/// Full fine-tuning with mean pooling (CLIP4Clip, arXiv 2104.08860): every weight of CLIP trains, and none is added.
/// A task's checkpoint is a whole CLIP.
/// </summary>
public sealed class FullFineTuning : Method
{
    private FullFineTuning(NoSettings settings, ParameterBuilder p) : base(Definition, settings, p) { }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<NoSettings>(
        "full", "full fine-tuning of CLIP with mean pooling (CLIP4Clip)", static (_, settings, p) => new FullFineTuning(settings, p));

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => true;

    /// <inheritdoc/>
    public override ClipModel Merge(ClipModel clip) => clip.Derive(static (_, _) => null);
}
