using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// Temporal calibration (model.md section 4, step 7): alpha = 1 + b(relu(a(u))), with u made of a frame's evidence and the
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
