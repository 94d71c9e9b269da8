using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// MV-Adapter's video adapter, Temporal Adaptation (model.md section 4). In a bottleneck, the class tokens and the
/// pooled patches of all frames attend to each other in one block; the result calibrates each frame's class path.
/// </summary>
internal sealed class VideoAdapter : BlockAdapter
{
    private readonly MvAdapterConfig config;
    private readonly LayerNorm? lnIn;
    private readonly Bottleneck bottleneck;
    private readonly TemporalModelling? temporal;
    private readonly Calibration? classCalibration;
    private readonly Calibration? patchCalibration;

    public VideoAdapter(ParameterBuilder p, long width, MvAdapterConfig config, LayerSharing shared)
    {
        this.config = config;
        long m = config.Bottleneck;
        if (config.LayerNormIn) lnIn = new LayerNorm(p["ln_in"], width);
        // Kaiming uniform with a = sqrt 5 has deviation 1 / sqrt(3 D).
        bottleneck = new Bottleneck(p, width, config, shared, 1 / Math.Sqrt(3.0 * width), uniform: true);
        if (!config.Temporal) return;
        temporal = new TemporalModelling(p, width, config);
        if (config.Calibrate.Contains("c")) classCalibration = new Calibration(p["conv_rf_c"], m, config.ContextToken);
        if (config.Calibrate.Contains("p")) patchCalibration = new Calibration(p["conv_rf_p"], m, config.ContextToken);
    }

    /// <inheritdoc/>
    public override Tensor AfterMlp(Tensor h, BlockContext context) =>
        // In training it keeps its input alone, and is computed again: it is little of the block's work, but keeps all tokens in
        // float32 on its way, but where it is multiplied in bfloat16. A block that is computed again itself keeps nothing of it anyway.
        context.Training && !context.Recompute && !bottleneck.KeepsLittle(h) ? GradientCheckpoint.Run(h, x => Add(x, context)) : Add(h, context);

    private Tensor Add(Tensor h, BlockContext context)
    {
        var (classes, patches) = Down(lnIn is null ? h : lnIn.Forward(h, h.DType), context);
        if (temporal is not null) (classes, patches) = Adapt(temporal, classes, patches, context);
        var frames = context.ToFrames(classes).Unsqueeze(1).To(patches.DType);
        if (!bottleneck.ClassOnlyUp) return bottleneck.Up(Tensor.Concatenate([frames, patches], 1), config.Scale, h);
        return Tensor.Concatenate([
            bottleneck.Up(frames, config.Scale, h.Narrow(1, 0, 1)), bottleneck.UpUntied(patches, config.Scale, h.Narrow(1, 1, h.Size(1) - 1))], 1);
    }

    /// <summary>Down. The class token of a frame is its first token, the patches are the rest: [B, F, m], [N, P, m].</summary>
    private (Tensor Classes, Tensor Patches) Down(Tensor h, BlockContext context)
    {
        var count = h.Size(1) - 1;
        Tensor classes, patches;
        if (bottleneck.ClassOnlyDown)
        {
            classes = bottleneck.Down(h.Select(1, 0), quickGelu: true);
            patches = bottleneck.DownUntied(h.Narrow(1, 1, count), quickGelu: true);
        }
        else
        {
            var down = bottleneck.Down(h, quickGelu: true);
            (classes, patches) = (down.Select(1, 0), down.Narrow(1, 1, count));
        }
        return (context.ToVideos(classes), patches);
    }

    /// <summary>Temporal modelling over [cc, class tokens, pooled patches], then calibration by what it found.</summary>
    private (Tensor Classes, Tensor Patches) Adapt(TemporalModelling modelling, Tensor classes, Tensor patches, BlockContext context)
    {
        var pooled = context.ToVideos(context.MeanPatch(patches));
        (var cc, classes, pooled) = modelling.Forward(classes, pooled, context);
        var evidence = classes + pooled;
        if (classCalibration is not null) classes = classes * classCalibration.Forward(evidence, cc, context.FrameMask);
        if (patchCalibration is not null)
            patches = patches * context.ToFrames(patchCalibration.Forward(evidence, cc, context.FrameMask)).Unsqueeze(1);
        return (classes, patches);
    }
}
