using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// MV-Adapter (arXiv 2301.07868): a video adapter and a text adapter in every block, tied across the modalities
/// in the last layers. Besides them, every bias of CLIP trains.
/// </summary>
public sealed class MvAdapterMethod : Method
{
    /// <summary>A fresh adapter, drawn from a seed; untrained, the model is exactly zero-shot CLIP.</summary>
    /// <exception cref="MvAdapterException">The settings do not fit the model.</exception>
    public MvAdapterMethod(ClipConfig clip, MvAdapterConfig config, ulong seed = 0)
        : this(clip, config, new ParameterBuilder(new ParameterSet(), ParameterBuilder.Fresh, new Generator(seed))) { }

    // Both branches are tied layer by layer, so the shallower one counts.
    private MvAdapterMethod(ClipConfig clip, MvAdapterConfig config, ParameterBuilder p)
        : this(clip, config.For(Math.Min(clip.VisionLayers, clip.TextLayers)), p, Math.Min(clip.VisionLayers, clip.TextLayers)) { }

    private MvAdapterMethod(ClipConfig clip, MvAdapterConfig config, ParameterBuilder p, int tiable) : base(Definition, config, p)
    {
        config.Validate(tiable);
        Config = config;
        var shared = Share(Math.Max(clip.VisionLayers, clip.TextLayers), config, p);
        if (config.Branches != AdaptedBranches.Text)
            Vision = EachVisionBlock(clip, p, (block, layer) => new VideoAdapter(block["mlp"]["adapter"], clip.VisionWidth, config, shared[layer]));
        if (config.Branches != AdaptedBranches.Video)
            Text = EachTextBlock(clip, p, (block, layer) => new TextAdapter(block["mlp"]["adapter"], clip.TextWidth, config, shared[layer]));
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<MvAdapterConfig>(
        "mv-adapter", "temporal adaptation and cross modality tying (arXiv 2301.07868)", static (clip, config, p) => new MvAdapterMethod(clip, config, p));

    /// <summary>The hyper-parameters.</summary>
    public MvAdapterConfig Config { get; }

    /// <inheritdoc/>
    public override int? MaxFrames => Config.Frames;

    /// <inheritdoc/>
    public override int? MaxWords => Config.Words;

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => clipParameter.EndsWith(".bias", StringComparison.Ordinal)
        && Config.Branches != (clipParameter.StartsWith("visual.", StringComparison.Ordinal) ? AdaptedBranches.Text : AdaptedBranches.Video);

    /// <summary>What the two branches share, layer by layer.</summary>
    private static LayerSharing[] Share(int layers, MvAdapterConfig config, ParameterBuilder p)
    {
        var shared = new LayerSharing[layers];
        var tied = 0;   // published names count the tied layers, not the layers
        foreach (var layer in config.TiedLayers)
            shared[layer] = new LayerSharing(p["prompt"].Zeros($"{tied++}", config.FactorDim), null);
        if (config.Kronecker > 0)
            for (var layer = 0; layer < layers; layer++)
                shared[layer] = shared[layer] with { Kronecker = KroneckerInteraction.CreateShared(p["kronecker"][layer], config.Kronecker) };
        return shared;
    }
}
