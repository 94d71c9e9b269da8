using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>The hyper-parameters of Convpass.</summary>
public sealed record ConvpassSettings
{
    /// <summary>Bottleneck width m.</summary>
    public int Bottleneck { get; init; } = 8;

    /// <summary>Factor on the adapter's output; the paper tunes it for each dataset.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>Dropout on the bottleneck.</summary>
    public double Dropout { get; init; } = 0.1;
}

/// <summary>
/// Convpass (arXiv 2207.07039): a convolutional bypass beside the attention and the MLP of every block. Text has no
/// patch grid, so its bypasses are plain bottlenecks.
/// </summary>
public sealed class Convpass : Method
{
    private Convpass(ClipConfig clip, ConvpassSettings settings, ParameterBuilder p) : base(Definition, settings, p)
    {
        Setting.RequireWidth("bottleneck", settings.Bottleneck);
        Setting.RequireDropout(settings.Dropout);
        Vision = EachVisionBlock(clip, p, (block, _) => new ConvpassBlock(block, clip.VisionWidth, settings, convolution: true));
        Text = EachTextBlock(clip, p, (block, _) => new ConvpassBlock(block, clip.TextWidth, settings, convolution: false));
    }

    /// <summary>The method's entry in <see cref="Methods"/>.</summary>
    public static MethodDefinition Definition { get; } = MethodDefinition.Of<ConvpassSettings>(
        "convpass", "convolutional bypasses beside attention and MLP (arXiv 2207.07039)", static (clip, settings, p) => new Convpass(clip, settings, p));
}

/// <summary>The two bypasses of a block.</summary>
internal sealed class ConvpassBlock(ParameterBuilder p, long width, ConvpassSettings settings, bool convolution) : BlockAdapter
{
    private readonly ConvolutionalBypass attention = new(p["attn"]["adapter"], width, settings, convolution);
    private readonly ConvolutionalBypass mlp = new(p["mlp"]["adapter"], width, settings, convolution);

    /// <inheritdoc/>
    public override Tensor BesideAttention(Tensor x, Tensor normalized, BlockContext context) => attention.Forward(normalized, context);

    /// <inheritdoc/>
    public override Tensor BesideMlp(Tensor x, Tensor normalized, BlockContext context) => mlp.Forward(normalized, context);
}

/// <summary>Down, QuickGELU, a 3x3 convolution over the patch grid, QuickGELU, up.</summary>
internal sealed class ConvolutionalBypass
{
    private readonly ConvpassSettings settings;
    private readonly Linear down;
    private readonly Tensor? kernel;     // [m, m, 3, 3]
    private readonly Tensor? kernelBias; // [m]
    private readonly Linear up;

    public ConvolutionalBypass(ParameterBuilder p, long width, ConvpassSettings settings, bool convolution)
    {
        this.settings = settings;
        long m = settings.Bottleneck;
        down = Linear.CreateUniform(p["adapter_down"], width, m, Math.Sqrt(6.0 / (width + m)));   // Xavier uniform
        if (convolution)
        {
            kernel = p["adapter_conv"].Create("weight", [m, m, 3, 3], Identity);
            kernelBias = p["adapter_conv"].Zeros("bias", m);
        }
        up = Linear.CreateZero(p["adapter_up"], m, width);
    }

    /// <summary>The delta [N, L, D] of the LayerNormed tokens.</summary>
    public Tensor Forward(Tensor normalized, BlockContext context)
    {
        var d = Activation.QuickGelu(down.Forward(normalized));                                    // [N, L, m]
        if (kernel is not null) d = Activation.QuickGelu(Convolve(d, kernel, context));
        return up.Forward(Functional.Dropout(d, settings.Dropout, context.Training)) * settings.Scale;
    }

    private Tensor Convolve(Tensor d, Tensor weight, BlockContext context)
    {
        var (n, m) = (d.Size(0), d.Size(2));
        // Over an image of one pixel, which the class token is, the kernel's centre alone acts.
        var classToken = Functional.Linear(d.Narrow(1, 0, 1), weight.Select(3, 1).Select(2, 1), kernelBias);
        var grid = context.ToGrid(d).Transpose(1, 2).Reshape(n, m, context.GridHeight, context.GridWidth);
        grid = Functional.Conv2d(grid, weight, kernelBias, padding: [1, 1]);
        return Tensor.Concatenate([classToken, context.FromGrid(grid.Flatten(2).Transpose(1, 2))], 1);
    }

    private static Tensor Identity(long[] shape)
    {
        var kernel = Tensor.Zeros(shape);
        var elements = kernel.AsSpan<float>();
        for (var channel = 0; channel < shape[0]; channel++) elements[(int)((channel * shape[1] + channel) * 9 + 4)] = 1;
        return kernel;
    }
}
