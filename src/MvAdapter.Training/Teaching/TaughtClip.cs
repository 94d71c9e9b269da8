using MvAdapter.Video;

namespace MvAdapter.Teaching;

/// <summary>A clip and what people said of it.</summary>
/// <param name="Video">What tells its video from others, whatever the file's name: its content's hash.</param>
/// <param name="Path">The video's file.</param>
/// <param name="Start">Where the clip begins, in seconds.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Captions">Its captions, at least one.</param>
public sealed record TaughtClip(string Video, string Path, double Start, double End, IReadOnlyList<string> Captions)
{
    /// <summary>What is to be read of the file.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public VideoClip Clip => new(Path, Start, End);
}

/// <summary>Clips to learn from, and clips of other videos to measure by; places in the list of all.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="Held">To measure by.</param>
public sealed record TeachingFold(IReadOnlyList<int> Train, IReadOnlyList<int> Held);

/// <summary>
/// Divides clips into those that are learnt from and those that are measured by, video by video: no video is in both. A tenth of the
/// clips is held out, at least <see cref="LeastHeld"/>; where that would be more than a seventh of them, the videos are divided into parts
/// and each part is measured by a model that has learnt from the others (cross-validation).
/// </summary>
public static class TeachingSplit
{
    /// <summary>Fewer clips than this teach nothing that could be measured.</summary>
    public const int LeastClips = 10;

    /// <summary>The fewest videos that they may come from.</summary>
    public const int LeastVideos = 5;

    /// <summary>Clips that are held out at least.</summary>
    public const int LeastHeld = 20;

    private const double ShareHeld = 0.1;
    private const double MostHeld = 0.15;
    private const int Parts = 5;
    private const ulong Stream = 0x5445414348; // "TEACH"

    /// <summary>One division, or one for each part of a cross-validation.</summary>
    /// <exception cref="MvAdapterException">There are too few clips or videos; the message says how many are needed.</exception>
    public static IReadOnlyList<TeachingFold> Of(IReadOnlyList<TaughtClip> clips, long seed = 0)
    {
        ArgumentNullException.ThrowIfNull(clips);
        var videos = clips.Select(clip => clip.Video).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (clips.Count < LeastClips || videos.Length < LeastVideos)
            throw new MvAdapterException($"there are captions of {clips.Count} clips of {videos.Length} videos, and {LeastClips} clips of {LeastVideos} videos are the least to learn from; caption more, of different videos");
        Training.SeededRandom.For((ulong)seed, Stream, 0).Shuffle<string>(videos);
        var wanted = Math.Max(LeastHeld, (int)Math.Ceiling(ShareHeld * clips.Count));
        var of = clips.CountBy(clip => clip.Video).ToDictionary(StringComparer.Ordinal);
        var held = new HashSet<string>(StringComparer.Ordinal);
        var count = 0;
        foreach (var video in videos)
        {
            if (count >= wanted) break;
            held.Add(video);
            count += of[video];
        }
        if (count <= MostHeld * clips.Count) return [Fold(clips, held)];
        // Parts of about as many clips: each video goes to the smallest.
        var parts = Enumerable.Range(0, Math.Min(Parts, videos.Length)).Select(_ => new HashSet<string>(StringComparer.Ordinal)).ToArray();
        var sizes = new int[parts.Length];
        foreach (var video in videos)
        {
            var smallest = Array.IndexOf(sizes, sizes.Min());
            parts[smallest].Add(video);
            sizes[smallest] += of[video];
        }
        return [.. parts.Select(part => Fold(clips, part))];
    }

    private static TeachingFold Fold(IReadOnlyList<TaughtClip> clips, HashSet<string> held)
    {
        var places = Enumerable.Range(0, clips.Count).ToLookup(i => held.Contains(clips[i].Video));
        return new TeachingFold([.. places[false]], [.. places[true]]);
    }
}
