namespace MvAdapter.Evaluation;

/// <summary>The figures of one direction of retrieval.</summary>
/// <param name="R1">Queries in percent whose right answer is the first.</param>
/// <param name="R5">Queries in percent whose right answer is among the first five.</param>
/// <param name="R10">Queries in percent whose right answer is among the first ten.</param>
/// <param name="MedianRank">The median of the 1-based ranks.</param>
/// <param name="MeanRank">The mean of the 1-based ranks.</param>
public sealed record RetrievalMetrics(double R1, double R5, double R10, double MedianRank, double MeanRank)
{
    /// <summary>Text-to-video retrieval: each caption asks for its video.</summary>
    public static RetrievalMetrics TextToVideo(SimilarityMatrix similarity, IReadOnlyList<int>? videoOfCaption = null) =>
        FromRanks(Ranking.TextToVideo(similarity, videoOfCaption));

    /// <summary>Video-to-text retrieval: each video asks for its captions.</summary>
    public static RetrievalMetrics VideoToText(SimilarityMatrix similarity, IReadOnlyList<int>? videoOfCaption = null) =>
        FromRanks(Ranking.VideoToText(similarity, videoOfCaption));

    /// <summary>
    /// Summarises ranks. As in the published code, a query whose right answer ties with k wrong ones counts once at each of
    /// the k + 1 places it may take, so a model that answers everything alike scores no better than chance.
    /// </summary>
    public static RetrievalMetrics FromRanks(IReadOnlyList<QueryRank> ranks)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        if (ranks.Count == 0)
            throw new MvAdapterException("nothing was ranked: the evaluation has no query with a right answer");

        var countAt = CountByPlace(ranks);
        var total = countAt.Sum();
        double PercentWithin(int places) => countAt.Take(places + 1).Sum() * 100.0 / total;
        var mean = countAt.Select((count, place) => (double)count * place).Sum() / total;
        var median = (PlaceOf((total - 1) / 2) + PlaceOf(total / 2)) / 2.0;
        return new RetrievalMetrics(PercentWithin(1), PercentWithin(5), PercentWithin(10), median, mean);

        int PlaceOf(long index)
        {
            var place = 0;
            for (var seen = countAt[0]; seen <= index; seen += countAt[place]) place++;
            return place;
        }
    }

    /// <summary>How many times each place is taken, from the differences between neighbouring places.</summary>
    private static long[] CountByPlace(IReadOnlyList<QueryRank> ranks)
    {
        var counts = new long[ranks.Max(query => query.Rank + query.Ties) + 2];
        foreach (var query in ranks)
        {
            counts[query.Rank]++;
            counts[query.Rank + query.Ties + 1]--;
        }
        for (var place = 1; place < counts.Length; place++) counts[place] += counts[place - 1];
        return counts;
    }
}
