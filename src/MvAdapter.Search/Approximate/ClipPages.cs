namespace MvAdapter.Search;

/// <summary>The vectors of a collection in an index file, a page a query: the index's log can be tidied up meanwhile.</summary>
/// <param name="database">The file, opened.</param>
/// <param name="index">Its path.</param>
/// <param name="collection">The collection.</param>
internal sealed class ClipPages(SqliteDatabase database, string index, ClipCollection collection)
{
    /// <summary>Clips that are read at once.</summary>
    public const int Size = 4096;

    /// <summary>How many there are.</summary>
    public long Count() => database.Number("SELECT count(*) FROM videos v JOIN clips c ON c.video = v.id WHERE v.collection = ?", collection.Id) ?? 0;

    /// <summary>All after a number, in the order of their numbers.</summary>
    public IEnumerable<List<(long Clip, float[] Vector)>> After(long last)
    {
        for (var page = Next(last); page.Count > 0; page = Next(page[^1].Clip)) yield return page;

        // CROSS JOIN keeps the order of the tables: else all of a collection would be found and sorted for each page.
        List<(long Clip, float[] Vector)> Next(long after) =>
            Page("SELECT c.id, c.vector FROM clips c CROSS JOIN videos v ON v.id = c.video WHERE c.id > ? AND v.collection = ? ORDER BY c.id LIMIT ?", after, collection.Id, Size);
    }

    /// <summary>Some vectors, spread evenly over all.</summary>
    public IEnumerable<float[]> Some(int count, CancellationToken cancellation)
    {
        var ids = new List<long>();
        using (var rows = database.Query("SELECT c.id FROM videos v JOIN clips c ON c.video = v.id WHERE v.collection = ?", collection.Id))
            while (rows.Next()) ids.Add(rows.Long(0));
        var number = Math.Min(count, ids.Count);
        for (var i = 0; i < number; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var clip in Page("SELECT id, vector FROM clips WHERE id = ?", ids[(int)((long)i * ids.Count / number)])) yield return clip.Vector;
        }
    }

    private List<(long Clip, float[] Vector)> Page(string sql, params ReadOnlySpan<object?> values)
    {
        var page = new List<(long, float[])>();
        using var rows = database.Query(sql, values);
        while (rows.Next())
        {
            var vector = rows.Floats(1);
            if (ClipVectors.Fault(vector, collection.Model.Width) is { } fault) throw new InvalidFileException(index, $"clip {rows.Long(0)}: {fault}; see \"index verify\"");
            page.Add((rows.Long(0), vector.ToArray()));
        }
        return page;
    }
}
