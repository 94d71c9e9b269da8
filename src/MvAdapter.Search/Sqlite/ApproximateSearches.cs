namespace MvAdapter.Search;

/// <summary>The approximate indexes beside an index file that are in use, each the newest that there is. Not safe for several threads.</summary>
/// <param name="database">The index file.</param>
/// <param name="opened">Told of a collection whose index was opened: its vectors need not stay in memory.</param>
internal sealed class ApproximateSearches(SqliteDatabase database, Action<ClipCollection> opened) : IDisposable
{
    private readonly Dictionary<long, ApproximateSearch> searches = [];
    private readonly Dictionary<long, DateTime> unusable = [];   // when the note of one that cannot be used was written

    /// <summary>A collection's; null where there is none that can be used.</summary>
    public ApproximateSearch? Of(ClipCollection collection)
    {
        var known = searches.GetValueOrDefault(collection.Id);
        var written = ApproximateIndexNote.WhenWritten(database.Path, collection);
        if (known is not null && written == known.Index.Written) return known;
        Close(collection);
        if (written is null || (unusable.TryGetValue(collection.Id, out var tried) && tried == written)) return null;
        if (ApproximateIndex.TryOpen(database.Path, collection) is not { } index)
        {
            unusable[collection.Id] = written.Value;
            return null;
        }
        opened(collection);
        return searches[collection.Id] = new ApproximateSearch(collection, database, index);
    }

    /// <summary>Removes a collection's with its files.</summary>
    public void Remove(ClipCollection collection)
    {
        Close(collection);
        ApproximateIndexNote.Delete(database.Path, collection);
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        foreach (var search in searches.Values) search.Dispose();
        searches.Clear();
    }

    private void Close(ClipCollection collection)
    {
        if (searches.Remove(collection.Id, out var search)) search.Dispose();
    }
}
