using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>Compares a file with what is stored of it, and decides what is to be done.</summary>
internal sealed class IndexPlanner(ClipStore store, ClipCollection collection, IndexOptions options)
{
    private readonly VideoDecoder decoder = new(new VideoDecoderOptions { PictureRate = FrameSampling.Parse(collection.Model.Sampling).PictureRate });
    // Asked for nothing, a video that is there stays cut as it is; a new one is cut as the collection's first was.
    private readonly string? asked = options.Splitting?.ToString();

    /// <summary>What is to be done with a file. What takes no encoding (a move, new tags) is done here already.</summary>
    public PlannedVideo Plan(string path, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var stored = store.FindVideo(collection, path);
        var known = stored is null ? null : new FileFingerprint(stored.Entry.Size, stored.Entry.Modified, stored.Entry.Hash);
        var file = FileFingerprint.Of(path, known);
        var entry = new VideoEntry(path)
        {
            Size = file?.Size ?? 0,
            Modified = file?.Modified ?? DateTime.UnixEpoch,
            Hash = file?.Hash ?? "",
            Splitting = asked ?? stored?.Entry.Splitting ?? collection.Model.Splitting,
            Tags = [.. (stored?.Entry.Tags ?? []).Union(options.Tags, StringComparer.Ordinal).Union(options.TagsOf?.Invoke(path) ?? [], StringComparer.Ordinal).Order(StringComparer.Ordinal)],
        };
        if (stored is not null && IsSame(stored.Entry, entry)) return Keep(stored, entry, IndexAction.Unchanged);
        if (stored is null && file is not null && Moved(entry) is { } before) return Keep(before, entry, IndexAction.Moved);
        return Encode(entry, stored is null ? IndexAction.Added : IndexAction.Changed, cancellation);
    }

    private bool IsSame(VideoEntry stored, VideoEntry file) =>
        stored.Hash == file.Hash && stored.Size == file.Size && (asked is null || stored.Splitting == asked)
        && !(options.RetryBad && stored.Problem is not null);

    private IndexedVideo? Moved(VideoEntry file) => store.FindByHash(collection, file.Hash)
        .FirstOrDefault(video => IsSame(video.Entry, file) && !VideoFiles.Exists(video.Entry.Path));

    private PlannedVideo Keep(IndexedVideo stored, VideoEntry file, IndexAction action)
    {
        var tags = stored.Entry.Tags.Union(file.Tags, StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var kept = stored.Entry with { Path = file.Path, Modified = file.Modified, Tags = tags };
        if (action == IndexAction.Moved || kept.Modified != stored.Entry.Modified || tags.Length != stored.Entry.Tags.Count)
            store.UpdateVideo(collection, stored.Id, kept);
        return new PlannedVideo(kept, action, [], writes: false);
    }

    private PlannedVideo Encode(VideoEntry entry, IndexAction action, CancellationToken cancellation)
    {
        try
        {
            var duration = decoder.Probe(entry.Path, cancellation).Duration;
            var spans = new ClipSplitter(ClipSplitting.Parse(entry.Splitting), decoder).Split(entry.Path, duration, cancellation);
            return new PlannedVideo(entry with { Duration = duration }, action, spans, writes: true);
        }
        catch (VideoException e)
        {
            return new PlannedVideo(entry with { Problem = e.Message }, action, [], writes: true);
        }
    }
}
