namespace MvAdapter.Evaluation;

/// <summary>Two clips that differ only in the direction of time, with a caption of each.</summary>
/// <param name="Video">The column of one clip.</param>
/// <param name="ReversedVideo">The column of its time reversal.</param>
/// <param name="Caption">The row of a caption of the clip.</param>
/// <param name="ReversedCaption">The row of a caption of the reversal.</param>
public readonly record struct OrderPair(int Video, int ReversedVideo, int Caption, int ReversedCaption);

/// <summary>
/// Whether a model knows the order of events: only the order tells a clip from its reversal, so a model that sees frames
/// as a bag answers by chance, 50 percent.
/// </summary>
/// <param name="GivenVideo">Percent of clips for which the right one of the two captions scores higher.</param>
/// <param name="GivenCaption">Percent of captions for which the right one of the two clips scores higher.</param>
public sealed record OrderAccuracy(double GivenVideo, double GivenCaption)
{
    /// <summary>
    /// Asks both clips and both captions of each pair; a tie counts one half. Null when there are no pairs.
    /// </summary>
    public static OrderAccuracy? Of(SimilarityMatrix similarity, IReadOnlyCollection<OrderPair> pairs)
    {
        ArgumentNullException.ThrowIfNull(similarity);
        ArgumentNullException.ThrowIfNull(pairs);
        if (pairs.Count == 0) return null;

        var (givenVideo, givenCaption) = (0.0, 0.0);
        foreach (var (video, reversedVideo, caption, reversedCaption) in pairs)
        {
            var right = similarity[caption, video];
            var rightReversed = similarity[reversedCaption, reversedVideo];
            var captionWithReversedVideo = similarity[caption, reversedVideo];
            var reversedCaptionWithVideo = similarity[reversedCaption, video];
            givenVideo += Points(right, reversedCaptionWithVideo) + Points(rightReversed, captionWithReversedVideo);
            givenCaption += Points(right, captionWithReversedVideo) + Points(rightReversed, reversedCaptionWithVideo);
        }
        var questions = 2.0 * pairs.Count;
        return new OrderAccuracy(100 * givenVideo / questions, 100 * givenCaption / questions);
    }

    private static double Points(float right, float wrong) => right > wrong ? 1 : right == wrong ? 0.5 : 0;
}
