using MvAdapter.Evaluation;

namespace MvAdapter.Teaching;

/// <summary>Clips and their captions as a model sees them.</summary>
/// <param name="Width">The length of a vector.</param>
/// <param name="Videos">Each clip's vector; null for one that cannot be read.</param>
/// <param name="Captions">Each clip's captions, one vector after another.</param>
public sealed record TaughtEmbeddings(int Width, IReadOnlyList<float[]?> Videos, IReadOnlyList<float[]> Captions);

/// <summary>Ranks held-out captions among held-out clips and others.</summary>
public static class TeachingMeasurement
{
    /// <summary>Encodes clips and their captions.</summary>
    /// <param name="encoder">The model.</param>
    /// <param name="clips">The clips; some may have no caption.</param>
    /// <param name="progress">Told how many clips are encoded.</param>
    /// <param name="cancellation">Ends the work.</param>
    public static TaughtEmbeddings Encode(VideoTextEncoder encoder, IReadOnlyList<TaughtClip> clips, IProgress<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(clips);
        var videos = new List<float[]?>(clips.Count);
        foreach (var video in encoder.EncodeVideos(clips.Select(clip => clip.Clip), cancellation))
        {
            videos.Add(video.Error is null ? video.Embedding : null);
            progress?.Report(videos.Count);
        }
        var texts = encoder.EncodeTexts([.. clips.SelectMany(clip => clip.Captions)], cancellation);
        var captions = new List<float[]>(clips.Count);
        var at = 0;
        foreach (var clip in clips) captions.Add(texts[at..(at += clip.Captions.Count * encoder.Width)]);
        return new TaughtEmbeddings(encoder.Width, videos, captions);
    }

    /// <summary>The rank of each held-out caption's clip, in the order of clips and captions; a tie counts as lost. Null for a clip that cannot be read.</summary>
    /// <param name="embeddings">All clips.</param>
    /// <param name="held">The places of those whose captions ask.</param>
    /// <param name="others">The places of those that are candidates too.</param>
    public static IReadOnlyList<int?> Ranks(TaughtEmbeddings embeddings, IReadOnlyList<int> held, IReadOnlyList<int> others)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        var candidates = held.Concat(others).Where(i => embeddings.Videos[i] is not null).ToList();
        var asked = held.SelectMany(i => Enumerable.Repeat(candidates.IndexOf(i), embeddings.Captions[i].Length / embeddings.Width)).ToList();
        if (candidates.Count == 0) return new int?[asked.Count];
        var similarities = SimilarityMatrix.FromEmbeddings([.. held.SelectMany(i => embeddings.Captions[i])], [.. candidates.SelectMany(i => embeddings.Videos[i]!)], embeddings.Width);
        var ranks = Ranking.TextToVideo(similarities, [.. asked.Select(row => Math.Max(row, 0))]);
        return [.. ranks.Select((rank, i) => asked[i] < 0 ? (int?)null : rank.Rank + rank.Ties)];
    }
}
