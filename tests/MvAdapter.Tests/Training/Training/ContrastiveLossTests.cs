using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class ContrastiveLossTests
{
    private static readonly float[] Logits = [2, 1, 9, 0.5f, 3, 4];

    [Fact]
    public void A_wrong_answer_counts_for_its_own_text_alone()
    {
        // Two pairs, and a third video that is a wrong answer to the second text.
        var texts = (CrossEntropy(2, 2, 1) + CrossEntropy(3, 0.5, 3, 4)) / 2;
        var videos = (CrossEntropy(2, 2, 0.5) + CrossEntropy(3, 1, 3)) / 2;
        using var logits = Tensor.From(Logits, 2, 3);
        Assert.Equal((texts + videos) / 2, ContrastiveLoss.Of(logits, [1]).ToDouble(), 1e-6);
    }

    [Fact]
    public void Without_wrong_answers_it_is_the_usual_loss()
    {
        using var logits = Tensor.From(Logits, 2, 3).Narrow(1, 0, 2);
        Assert.Equal(ContrastiveLoss.Of(logits).ToDouble(), ContrastiveLoss.Of(logits, []).ToDouble());
    }

    // Of one row, in float64.
    private static double CrossEntropy(double right, params double[] all) => Math.Log(all.Sum(Math.Exp)) - right;
}
