using MvAdapter.Evaluation;

namespace MvAdapter.Tests.Evaluation;

public sealed class OrderAccuracyTests
{
    [Theory]
    // similarity of: caption with video, caption with reversal, reversed caption with video, reversed caption with reversal
    [InlineData(1, 0, 0, 1, 100, 100)]
    [InlineData(0, 1, 1, 0, 0, 0)]
    [InlineData(1, 1, 1, 1, 50, 50)]
    [InlineData(3, 2, 1, 1, 50, 75)]
    [InlineData(3, 1, 2, 1, 75, 50)]
    public void Both_clips_and_both_captions_are_asked(
        float right, float captionReversal, float reversedCaption, float rightReversed, double givenVideo, double givenCaption)
    {
        var similarity = new SimilarityMatrix(2, 2, [right, captionReversal, reversedCaption, rightReversed]);
        Assert.Equal(new OrderAccuracy(givenVideo, givenCaption), OrderAccuracy.Of(similarity, [new OrderPair(0, 1, 0, 1)]));
    }

    [Fact]
    public void Pairs_name_rows_and_columns()
    {
        var similarity = new SimilarityMatrix(3, 3, [0, 0, 0, 1, 5, 2, 4, 6, 3]);
        // Video 0 asks caption 1 (1) or caption 2 (4); video 2 asks caption 2 (3) or caption 1 (2).
        Assert.Equal(new OrderAccuracy(50, 0), OrderAccuracy.Of(similarity, [new OrderPair(0, 2, 1, 2)]));
    }

    [Fact]
    public void Without_pairs_there_is_no_accuracy() => Assert.Null(OrderAccuracy.Of(new SimilarityMatrix(1, 1, [0]), []));
}
