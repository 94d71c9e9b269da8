using MvAdapter.Clip;
using MvAdapter.Clip.Layers;

namespace MvAdapter.Adapters;

/// <summary>CLIP as it is: nothing is added, and nothing trains.</summary>
public sealed class ZeroShot : Method
{
    private ZeroShot(NoSettings settings, ParameterBuilder p) : base(Definition, settings, p) { }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<NoSettings>(
        "zero-shot", "CLIP as it is, with mean pooling; trains nothing", static (_, settings, p) => new ZeroShot(settings, p));

    /// <inheritdoc/>
    public override ClipModel Merge(ClipModel clip) => clip.Derive(static (_, _) => null);
}
