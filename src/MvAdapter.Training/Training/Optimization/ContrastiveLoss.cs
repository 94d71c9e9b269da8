using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>CLIP's symmetric loss (model.md section 8).</summary>
public static class ContrastiveLoss
{
    /// <summary>The mean of the cross-entropies over rows and over columns, with targets on the diagonal. logits [N, N].</summary>
    public static Tensor Of(Tensor logits)
    {
        var targets = Tensor.Arange(logits.Size(0), logits.Device);
        return (Functional.CrossEntropy(logits, targets) + Functional.CrossEntropy(logits.T(), targets)) * 0.5;
    }
}
