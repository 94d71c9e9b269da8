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

    /// <summary>
    /// The same with wrong answers: videos that belong to no row, each one more to tell a row's video from when its text is asked. To the
    /// other texts they are nothing, since nobody has said that they are wrong there.
    /// </summary>
    /// <param name="logits">[N, N + H]: texts by videos, the last H being wrong answers.</param>
    /// <param name="rows">The row that each of the H is a wrong answer to.</param>
    public static Tensor Of(Tensor logits, IReadOnlyList<int> rows)
    {
        if (rows.Count == 0) return Of(logits);
        var count = (int)logits.Size(0);
        var elsewhere = new float[count * (count + rows.Count)];
        for (var row = 0; row < count; row++)
            for (var i = 0; i < rows.Count; i++)
                if (rows[i] != row) elsewhere[(row * (count + rows.Count)) + count + i] = float.NegativeInfinity;
        var targets = Tensor.Arange(count, logits.Device);
        var masked = logits + Tensor.From(elsewhere, count, count + rows.Count).To(logits.Device);
        return (Functional.CrossEntropy(masked, targets) + Functional.CrossEntropy(logits.Narrow(1, 0, count).T(), targets)) * 0.5;
    }
}
