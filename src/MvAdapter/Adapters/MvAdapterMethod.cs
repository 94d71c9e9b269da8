using MvAdapter.Clip;
using MvAdapter.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// MV-Adapter (arXiv 2301.07868): a video adapter and a text adapter in every block, tied across the modalities
/// in the last layers. Besides them, every bias of CLIP trains.
/// </summary>
public sealed class MvAdapterMethod : Method
{
    /// <summary>A fresh adapter, drawn from a seed.</summary>
    public MvAdapterMethod(ClipConfig clip, MvAdapterConfig config, ulong seed = 0)
        : this(clip, config, ParameterBuilder.Fresh, new Generator(seed)) { }

    /// <summary>Makes the adapters for a CLIP of that size; with <see cref="ParameterBuilder.Fresh"/> the model is exactly zero-shot CLIP.</summary>
    /// <exception cref="MvAdapterException">The settings do not fit the model.</exception>
    public MvAdapterMethod(ClipConfig clip, MvAdapterConfig config, ParameterSource source, Generator generator)
    {
        config.Validate(Math.Min(clip.VisionLayers, clip.TextLayers));
        Config = config;
        try
        {
            var p = new ParameterBuilder(Parameters, source, generator);
            var layers = Math.Max(clip.VisionLayers, clip.TextLayers);
            var shared = new LayerSharing[layers];
            var tied = 0;   // published names count the tied layers, not the layers
            foreach (var layer in config.TiedLayers.Order())
                shared[layer] = new LayerSharing(p["prompt"].Zeros($"{tied++}", config.FactorDim), null);
            if (config.Kronecker > 0)
                for (var layer = 0; layer < layers; layer++)
                    shared[layer] = shared[layer] with { Kronecker = KroneckerInteraction.CreateShared(p["kronecker"][layer], config.Kronecker) };
            Vision = [.. Enumerable.Range(0, clip.VisionLayers).Select(layer =>
                new VideoAdapter(p["visual"]["transformer"]["resblocks"][layer]["mlp"]["adapter"], clip.VisionWidth, config, shared[layer]))];
            Text = [.. Enumerable.Range(0, clip.TextLayers).Select(layer =>
                new TextAdapter(p["transformer"]["resblocks"][layer]["mlp"]["adapter"], clip.TextWidth, config, shared[layer]))];
        }
        catch
        {
            Parameters.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Name => "mv-adapter";

    /// <summary>The hyper-parameters.</summary>
    public MvAdapterConfig Config { get; }

    /// <inheritdoc/>
    public override string Settings => Config.ToJson();

    /// <inheritdoc/>
    public override bool Trains(string clipParameter) => clipParameter.EndsWith(".bias", StringComparison.Ordinal);
}
