using MvAdapter.Evaluation;

namespace MvAdapter.Tests.Evaluation;

public sealed class DualSoftmaxTests
{
    private static readonly SimilarityMatrix Similarity = new(2, 3, [0.3f, -0.1f, 0.2f, 0.25f, 0.4f, 0.2f]);

    [Fact]
    public void Text_to_video_weighs_over_texts()
    {
        var weighted = DualSoftmax.ForTextToVideo(Similarity, 0.1);
        for (var text = 0; text < 2; text++)
            for (var video = 0; video < 3; video++)
            {
                var all = Enumerable.Range(0, 2).Sum(other => Math.Exp(Similarity[other, video] / 0.1));
                Assert.Equal(
                    Similarity[text, video] * Math.Exp(Similarity[text, video] / 0.1) / all, weighted[text, video], 1e-6);
            }
    }

    [Fact]
    public void Video_to_text_weighs_over_videos()
    {
        var weighted = DualSoftmax.ForVideoToText(Similarity, 0.1);
        for (var text = 0; text < 2; text++)
            for (var video = 0; video < 3; video++)
            {
                var all = Enumerable.Range(0, 3).Sum(other => Math.Exp(Similarity[text, other] / 0.1));
                Assert.Equal(
                    Similarity[text, video] * Math.Exp(Similarity[text, video] / 0.1) / all, weighted[text, video], 1e-6);
            }
    }

    [Fact]
    public void A_video_that_resembles_everything_loses_weight()
    {
        // Video 0 wins both texts, though text 1 belongs to video 1.
        var similarity = new SimilarityMatrix(2, 2, [0.9f, 0.1f, 0.6f, 0.5f]);
        Assert.Equal(50, RetrievalMetrics.TextToVideo(similarity).R1);
        Assert.Equal(100, RetrievalMetrics.TextToVideo(DualSoftmax.ForTextToVideo(similarity, 0.01)).R1);
    }

    [Fact]
    public void Large_logits_do_not_overflow() =>
        Assert.True(float.IsFinite(DualSoftmax.ForTextToVideo(new SimilarityMatrix(1, 1, [1e6f]), 0.01)[0, 0]));

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_temperature_must_be_positive(double temperature)
    {
        Assert.Throws<UsageException>(() => DualSoftmax.ForTextToVideo(Similarity, temperature));
        Assert.Throws<UsageException>(() => DualSoftmax.ForVideoToText(Similarity, temperature));
    }
}
