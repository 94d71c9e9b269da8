using System.Numerics.Tensors;

namespace MvAdapter.Evaluation;

/// <summary>Where a query's right answer stands.</summary>
/// <param name="Query">The caption's row (text to video) or the video's column (video to text).</param>
/// <param name="Rank">1 plus the number of candidates that score higher.</param>
/// <param name="Ties">The number of wrong candidates that score exactly the same.</param>
public readonly record struct QueryRank(int Query, int Rank, int Ties);

/// <summary>
/// Ranks by counting, without sorting. <c>videoOfCaption</c> names each caption's video; null means that caption i
/// belongs to video i.
/// </summary>
public static class Ranking
{
    /// <summary>For each caption, the rank of its video among all videos.</summary>
    public static IReadOnlyList<QueryRank> TextToVideo(
        SimilarityMatrix similarity, IReadOnlyList<int>? videoOfCaption = null)
    {
        var owner = Owners(similarity, videoOfCaption);
        var ranks = new QueryRank[owner.Length];
        for (var caption = 0; caption < owner.Length; caption++)
        {
            var row = similarity.Row(caption);
            var own = row[owner[caption]];
            var (greater, equal) = (0, 0);
            foreach (var score in row)
            {
                greater += score > own ? 1 : 0;
                equal += score == own ? 1 : 0;
            }
            ranks[caption] = new QueryRank(caption, greater + 1, equal - 1);
        }
        return ranks;
    }

    /// <summary>
    /// For each video, the rank of its own captions among those of all videos; a candidate scores the best of its
    /// captions. A video without captions is neither asked for nor a candidate.
    /// </summary>
    public static IReadOnlyList<QueryRank> VideoToText(
        SimilarityMatrix similarity, IReadOnlyList<int>? videoOfCaption = null)
    {
        var owner = Owners(similarity, videoOfCaption);
        var own = new float[similarity.Videos];
        Array.Fill(own, float.NegativeInfinity);
        for (var caption = 0; caption < owner.Length; caption++)
            own[owner[caption]] = Math.Max(own[owner[caption]], similarity[caption, owner[caption]]);

        var (greater, equal) = (new int[own.Length], new int[own.Length]);
        var best = new float[own.Length];
        foreach (var captions in Enumerable.Range(0, owner.Length).GroupBy(caption => owner[caption]))
        {
            Array.Fill(best, float.NegativeInfinity);
            foreach (var caption in captions) TensorPrimitives.Max(best, similarity.Row(caption), best);
            for (var video = 0; video < own.Length; video++)
            {
                greater[video] += best[video] > own[video] ? 1 : 0;
                equal[video] += best[video] == own[video] ? 1 : 0;
            }
        }
        return [.. Enumerable.Range(0, own.Length)
            .Where(video => own[video] > float.NegativeInfinity)
            .Select(video => new QueryRank(video, greater[video] + 1, equal[video] - 1))];
    }

    /// <summary>The indices of the <paramref name="count"/> highest scores, best first; the earlier wins a tie.</summary>
    public static IReadOnlyList<int> Top(ReadOnlySpan<float> scores, int count)
    {
        var top = new List<int>(Math.Min(count, scores.Length) + 1);
        for (var i = 0; i < scores.Length; i++)
        {
            if (top.Count == count && (count == 0 || scores[i] <= scores[top[^1]])) continue;
            var place = top.Count;
            while (place > 0 && scores[i] > scores[top[place - 1]]) place--;
            top.Insert(place, i);
            if (top.Count > count) top.RemoveAt(count);
        }
        return top;
    }

    internal static int[] Owners(SimilarityMatrix similarity, IReadOnlyList<int>? videoOfCaption)
    {
        ArgumentNullException.ThrowIfNull(similarity);
        int[] owner = videoOfCaption is null ? [.. Enumerable.Range(0, similarity.Texts)] : [.. videoOfCaption];
        if (owner.Length != similarity.Texts || (videoOfCaption is null && similarity.Videos != similarity.Texts))
            throw new ArgumentException(
                $"{similarity.Texts} captions and {similarity.Videos} videos: each caption needs its video", nameof(videoOfCaption));
        foreach (var video in owner)
            if ((uint)video >= (uint)similarity.Videos)
                throw new ArgumentException($"a caption belongs to video {video} of {similarity.Videos}", nameof(videoOfCaption));
        return owner;
    }
}
