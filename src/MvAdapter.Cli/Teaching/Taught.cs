using MvAdapter.Search;
using MvAdapter.Teaching;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>What an index has been taught: its captions and right answers, clip by clip, with files that are there.</summary>
/// <param name="Clips">The clips.</param>
/// <param name="Gone">Captions and marks of videos that have changed or are gone.</param>
internal sealed record Taught(IReadOnlyList<TaughtClip> Clips, int Gone)
{
    private const int OthersLookedAt = 1000;
    private const int MostOthers = 200;

    /// <summary>All pairs of a store, as a collection's videos have them.</summary>
    public static Taught Of(ClipStore store, ClipCollection collection)
    {
        var gone = 0;
        var clips = new List<TaughtClip>();
        var paths = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var clip in store.Annotations.All().Where(annotation => annotation.IsPair).GroupBy(annotation => annotation.Clip))
        {
            var first = clip.First();
            if (!paths.TryGetValue(first.Hash, out var path)) paths[first.Hash] = path = PathOf(store, [collection], first);
            if (path is null) gone += clip.Count();
            else clips.Add(new TaughtClip(first.Hash, path, first.Span.Start, first.Span.End, [.. clip.Select(annotation => annotation.Text).Distinct(StringComparer.OrdinalIgnoreCase)]));
        }
        return new Taught(clips, gone);
    }

    /// <summary>Where a video of that content is; null when it has changed or is gone.</summary>
    public static string? PathOf(ClipStore store, IReadOnlyList<ClipCollection> collections, ClipAnnotation annotation) =>
        collections.SelectMany(collection => store.FindByHash(collection, annotation.Hash)).Select(video => video.Entry.Path).FirstOrDefault(VideoFiles.Exists);

    /// <summary>Clips that nobody said anything of, to be candidates beside the held-out ones.</summary>
    public IReadOnlyList<VideoClip> Others(ClipStore store, ClipCollection collection, int seed)
    {
        var taught = Clips.Select(clip => clip.Video).ToHashSet(StringComparer.Ordinal);
        return [.. store.Sample(collection, OthersLookedAt, seed).Where(clip => !taught.Contains(clip.Hash) && VideoFiles.Exists(clip.Clip.Path)).Take(MostOthers)
            .Select(clip => new VideoClip(clip.Clip.Path, clip.Clip.Span.Start, clip.Clip.Span.End))];
    }
}
