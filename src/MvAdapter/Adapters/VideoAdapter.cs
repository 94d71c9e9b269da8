using MvAdapter.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// MV-Adapter's video adapter, Temporal Adaptation (spec section 4). In a bottleneck, the class tokens and the
/// pooled patches of all frames attend to each other in one block; the result calibrates each frame's class path.
/// </summary>
internal sealed class VideoAdapter : BlockAdapter
{
    private const double MaskedScore = -1e6;
    private readonly MvAdapterConfig config;
    private readonly LayerNorm? lnIn;
    private readonly Bottleneck bottleneck;
    private readonly Tensor positionalEmbedding; // [2F + 1, m]
    private readonly Tensor contextToken;        // cc [m]
    private readonly LayerNorm lnPre;
    private readonly TransformerBlock block;
    private readonly Calibration? classCalibration;
    private readonly Calibration? patchCalibration;

    public VideoAdapter(ParameterBuilder p, long width, MvAdapterConfig config, LayerSharing shared)
    {
        this.config = config;
        long m = config.Bottleneck;
        if (config.LayerNormIn) lnIn = new LayerNorm(p["ln_in"], width);
        // Kaiming uniform with a = sqrt 5 has deviation 1 / sqrt(3 D).
        bottleneck = new Bottleneck(p, width, config, shared, 1 / Math.Sqrt(3.0 * width), uniform: true);
        positionalEmbedding = p.Normal("positional_embedding", 0.01, 2 * config.Frames + 1, m);
        contextToken = p.Normal("cc", 1 / Math.Sqrt(m), m);
        lnPre = new LayerNorm(p["ln_pre"], m);
        block = TransformerBlock.CreateInner(p["block"], m, config.Heads, width);
        if (config.Calibrate.Contains("c")) classCalibration = new Calibration(p["conv_rf_c"], m, config.ContextToken);
        if (config.Calibrate.Contains("p")) patchCalibration = new Calibration(p["conv_rf_p"], m, config.ContextToken);
    }

    /// <inheritdoc/>
    public override Tensor OnMlpOutput(Tensor h, BlockContext context)
    {
        var (videos, frames, tokens) = (context.Batch, context.Frames, h.Size(1));
        if (lnIn is not null) h = lnIn.Forward(h);

        // 1. Down. The class token of a frame is its first token, the patches are the rest.
        Tensor classDown, patches;                                       // [B, F, m], [B * F, P, m]
        if (bottleneck.ClassOnlyDown)
        {
            classDown = bottleneck.Down(h.Select(1, 0));
            patches = bottleneck.DownUntied(h.Narrow(1, 1, tokens - 1));
        }
        else
        {
            var down = bottleneck.Down(h);
            classDown = down.Select(1, 0);
            patches = down.Narrow(1, 1, tokens - 1);
        }
        classDown = Activation.QuickGelu(classDown).Reshape(videos, frames, config.Bottleneck);
        patches = Activation.QuickGelu(patches);
        var pooled = patches.Mean([1]).View(videos, frames, config.Bottleneck);

        // 2. Temporal modelling over [cc, class tokens, pooled patches].
        var (cc, classes, pooledOut) = Temporal(classDown, pooled, context);

        // 3. Calibration, and up.
        var evidence = classes + pooledOut;
        if (classCalibration is not null) classes = classes * classCalibration.Forward(evidence, cc, context.FrameMask);
        if (patchCalibration is not null)
            patches = patches * patchCalibration.Forward(evidence, cc, context.FrameMask).Reshape(videos * frames, 1, config.Bottleneck);
        var classUp = bottleneck.Up(classes).Reshape(videos * frames, 1, h.Size(2));
        return Tensor.Concatenate([classUp, bottleneck.UpUntied(patches)], 1) * config.Scale;
    }

    private (Tensor? ContextToken, Tensor Classes, Tensor Pooled) Temporal(Tensor classes, Tensor pooled, BlockContext context)
    {
        var (videos, frames) = (context.Batch, context.Frames);
        Tensor[] sequence = config.ContextToken
            ? [contextToken.Expand(videos, 1, config.Bottleneck), classes, pooled]
            : [classes, pooled];
        var x = Tensor.Concatenate(sequence, 1);
        x = lnPre.Forward(x + positionalEmbedding.Narrow(0, 0, x.Size(1)));
        x = Activation.QuickGelu(block.Forward(x, KeyMask(context)));
        var first = config.ContextToken ? 1 : 0;
        return (config.ContextToken ? x.Narrow(1, 0, 1) : null, x.Narrow(1, first, frames), x.Narrow(1, first + frames, frames));
    }

    /// <summary>-1e6 for keys of padded frames in both halves; the context token is never masked. [B, 1, 1, length].</summary>
    private Tensor? KeyMask(BlockContext context)
    {
        if (context.FrameMask is not { } mask) return null;
        Tensor[] parts = config.ContextToken ? [Tensor.Ones([context.Batch, 1], device: mask.Device), mask, mask] : [mask, mask];
        return ((1 - Tensor.Concatenate(parts, 1)) * MaskedScore).Unsqueeze(1).Unsqueeze(1);
    }
}

/// <summary>
/// Temporal calibration (spec section 4, step 7): alpha = 1 + b(relu(a(u))), with u made of a frame's evidence and the
/// whole video's context. b begins at zero, so alpha begins at one.
/// </summary>
internal sealed class Calibration
{
    private const long Hidden = 16;
    private readonly Linear? g;
    private readonly Linear a;
    private readonly Linear b;

    public Calibration(ParameterBuilder p, long width, bool contextToken)
    {
        if (contextToken) g = Linear.Create(p["g"], width, width);
        a = Linear.Create(p["a"], contextToken ? 2 * width : width, Hidden);
        b = new Linear(p["b"].Zeros("weight", width, Hidden));
    }

    /// <summary>alpha [B, F, m].</summary>
    /// <param name="evidence">cls' + pooled' [B, F, m].</param>
    /// <param name="contextToken">cc' [B, 1, m], or null.</param>
    /// <param name="mask">[B, F], or null.</param>
    public Tensor Forward(Tensor evidence, Tensor? contextToken, Tensor? mask)
    {
        var u = contextToken is null ? evidence
            : Tensor.Concatenate([evidence, g!.Forward(contextToken).Expand(evidence.Size(0), evidence.Size(1), evidence.Size(2))], 2);
        if (mask is not null) u = u * mask.Unsqueeze(-1);
        return b.Forward(a.Forward(u).Relu()) + 1;
    }
}
