using MvAdapter.Search;
using MvAdapter.Teaching;

namespace MvAdapter.Cli;

/// <summary>What an index has been taught: its captions and right answers, clip by clip, with files that are there.</summary>
/// <param name="Clips">The clips.</param>
/// <param name="Wrong">Clips that are wrong answers, each with the queries in its captions' place; queries without a right answer teach nothing.</param>
/// <param name="Gone">Captions and marks of videos that have changed or are gone.</param>
internal sealed record Taught(IReadOnlyList<TaughtClip> Clips, IReadOnlyList<TaughtClip> Wrong, int Gone)
{
    private const int OthersLookedAt = 1000;
    private const int MostOthers = 200;

    /// <summary>All pairs of a store, as a collection's videos have them.</summary>
    public static Taught Of(ClipStore store, ClipCollection collection)
    {
        var gone = 0;
        var paths = new Dictionary<string, string?>(StringComparer.Ordinal);
        var all = store.Annotations.All().ToLookup(annotation => annotation.IsPair);
        var clips = ByClip(all[true]);
        var answered = clips.SelectMany(clip => clip.Captions).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return new Taught(clips, ByClip(all[false].Where(annotation => answered.Contains(annotation.Text))), gone);

        List<TaughtClip> ByClip(IEnumerable<ClipAnnotation> annotations)
        {
            var found = new List<TaughtClip>();
            foreach (var clip in annotations.GroupBy(annotation => annotation.Clip))
            {
                var first = clip.First();
                if (!paths.TryGetValue(first.Hash, out var path)) paths[first.Hash] = path = PathOf(store, [collection], first);
                if (path is null) gone += clip.Count();
                else found.Add(new TaughtClip(first.Hash, path, first.Span.Start, first.Span.End, [.. clip.Select(annotation => annotation.Text).Distinct(StringComparer.OrdinalIgnoreCase)]));
            }
            return found;
        }
    }

    /// <summary>Where a video of that content is; null when it has changed or is gone.</summary>
    public static string? PathOf(ClipStore store, IReadOnlyList<ClipCollection> collections, ClipAnnotation annotation) =>
        collections.SelectMany(collection => store.FindByHash(collection, annotation.Hash)).Select(video => video.Entry.Path).FirstOrDefault(VideoFiles.Exists);

    /// <summary>Clips of the library, to be candidates beside the held-out ones; as a search has it, those that are learnt from are among them.</summary>
    public static IReadOnlyList<TaughtClip> Others(ClipStore store, ClipCollection collection, int seed)
    {
        var hashes = new HashSet<string>(StringComparer.Ordinal);
        // One of a video: its neighbours are as good an answer as the clip itself.
        return [.. store.Sample(collection, OthersLookedAt, seed).Where(clip => VideoFiles.Exists(clip.Clip.Path) && hashes.Add(clip.Hash)).Take(MostOthers)
            .Select(clip => new TaughtClip(clip.Hash, clip.Clip.Path, clip.Clip.Span.Start, clip.Clip.Span.End, []))];
    }
}
