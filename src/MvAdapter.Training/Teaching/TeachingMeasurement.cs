using MvAdapter.Evaluation;
using MvAdapter.Video;

namespace MvAdapter.Teaching;

/// <summary>Ranks held-out captions among held-out clips and others that nobody learnt from.</summary>
public static class TeachingMeasurement
{
    /// <summary>The rank of each caption's clip, in the order of clips and captions; a tie counts as lost. Null for a clip that cannot be read.</summary>
    /// <param name="encoder">The model.</param>
    /// <param name="held">Clips with captions.</param>
    /// <param name="others">Clips that are candidates too.</param>
    /// <param name="progress">Told how many clips are encoded.</param>
    /// <param name="cancellation">Ends the work.</param>
    public static IReadOnlyList<int?> Ranks(VideoTextEncoder encoder, IReadOnlyList<TaughtClip> held, IReadOnlyList<VideoClip> others, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(held);
        var rows = new List<float>();
        var row = new int?[held.Count];
        var done = 0;
        foreach (var video in encoder.EncodeVideos([.. held.Select(clip => new VideoClip(clip.Path, clip.Start, clip.End)), .. others], cancellation))
        {
            if (video.Error is null)
            {
                if (done < held.Count) row[done] = rows.Count / encoder.Width;
                rows.AddRange(video.Embedding);
            }
            progress?.Report(++done);
        }
        var owners = held.SelectMany((clip, i) => clip.Captions.Select(_ => row[i])).ToArray();
        var texts = encoder.EncodeTexts([.. held.SelectMany(clip => clip.Captions)], cancellation);
        if (rows.Count == 0) return new int?[owners.Length];
        var similarities = SimilarityMatrix.FromEmbeddings(texts, [.. rows], encoder.Width);
        var ranks = Ranking.TextToVideo(similarities, [.. owners.Select(owner => owner ?? 0)]);
        return [.. ranks.Select((rank, i) => owners[i] is null ? (int?)null : rank.Rank + rank.Ties)];
    }
}
