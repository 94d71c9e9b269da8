namespace MvAdapter.Search;

/// <summary>The graphs beside an index file that are in use, each the newest that there is. Not safe for several threads.</summary>
/// <param name="database">The index file.</param>
/// <param name="opened">Told of a collection whose graph was opened: its vectors need not stay in memory.</param>
internal sealed class SqliteGraphs(SqliteDatabase database, Action<ClipCollection> opened) : IDisposable
{
    private readonly Dictionary<long, GraphSearch> graphs = [];
    private readonly Dictionary<long, DateTime> unusable = [];   // when the note of a graph that cannot be used was written

    /// <summary>A collection's graph; null where there is none that can be used.</summary>
    public GraphSearch? Of(ClipCollection collection)
    {
        var known = graphs.GetValueOrDefault(collection.Id);
        var written = ClipGraphNote.Written(database.Path, collection);
        if (known is not null && written == known.Graph.Written) return known;
        Close(collection);
        if (written is null || (unusable.TryGetValue(collection.Id, out var tried) && tried == written)) return null;
        if (ClipGraph.TryOpen(database.Path, collection) is not { } graph)
        {
            unusable[collection.Id] = written.Value;
            return null;
        }
        opened(collection);
        return graphs[collection.Id] = new GraphSearch(collection, database, graph);
    }

    /// <summary>Removes a collection's graph with its files.</summary>
    public void Remove(ClipCollection collection)
    {
        Close(collection);
        ClipGraphNote.Delete(database.Path, collection);
    }

    /// <summary>Closes all.</summary>
    public void Dispose()
    {
        foreach (var graph in graphs.Values) graph.Dispose();
        graphs.Clear();
    }

    private void Close(ClipCollection collection)
    {
        if (graphs.Remove(collection.Id, out var graph)) graph.Dispose();
    }
}
