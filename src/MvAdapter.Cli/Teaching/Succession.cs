using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary>Encodes a collection's videos again by another adapter, beside the old one, which is searched until the new one is whole.</summary>
internal static class Succession
{
    /// <summary>Fills the new collection, or goes on filling it, and lets it take the other's place.</summary>
    /// <param name="store">The index.</param>
    /// <param name="old">The collection whose videos are encoded.</param>
    /// <param name="adapter">The adapter's file, which the index remembers.</param>
    /// <param name="onThisMachine">Says where the model runs and how.</param>
    /// <param name="bar">Told how many videos are done.</param>
    /// <param name="cancellation">Ends it; what is encoded stays for the next time.</param>
    /// <returns>The new collection.</returns>
    /// <exception cref="MvAdapterException">The old collection has videos that could be read before and now cannot.</exception>
    public static ClipCollection Build(ClipStore store, ClipCollection old, string adapter, Func<ModelSource, ModelSource> onThisMachine, Terminal.Progress bar, CancellationToken cancellation)
    {
        var source = onThisMachine(old.Model.ToSource() with { Adapter = adapter, AdapterConfig = null });
        using var encoder = ModelOptions.Load(source, cancellation);
        var model = CollectionModel.Of(source, encoder, ClipSplitting.Parse(old.Model.Splitting));
        if (model.Identity == old.Model.Identity) throw new UsageException($"the collection {old.Id} is encoded by this adapter already");
        var known = store.Collections().FirstOrDefault(collection => collection.Model.Identity == model.Identity);
        if (known is { IsBuilding: false }) throw new UsageException($"the collection {known.Id} is encoded by this adapter already; drop it first to encode it again");
        var next = known ?? store.AddCollection(model, old);
        var videos = store.Videos(old).Where(video => VideoFiles.Exists(video.Entry.Path)).ToList();
        var done = 0;
        bar.Total = videos.Count;
        // Each as it was cut and tagged before.
        foreach (var alike in videos.GroupBy(video => (video.Entry.Splitting, Tags: string.Join('\n', video.Entry.Tags))))
        {
            new Indexer(store, next, encoder, new IndexOptions { Splitting = ClipSplitting.Parse(alike.Key.Splitting), Tags = alike.First().Entry.Tags }).Index(
                alike.Select(video => video.Entry.Path), outcome => bar.Report(++done), cancellation);
        }
        store.Complete(next);
        return store.Collections().Single(collection => collection.Id == next.Id);
    }
}
