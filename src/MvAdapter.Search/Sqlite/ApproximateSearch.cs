using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// Searches a collection by its approximate index. What has changed since that was built is looked at one by one (<see cref="ClipMatrix"/>), what it
/// finds is scored again by the file's vectors, and where a filter lets few clips pass, these are all looked at.
/// </summary>
internal sealed class ApproximateSearch(ClipCollection collection, SqliteDatabase database, ApproximateIndex approximate) : IDisposable
{
    private const int FewClips = 20_000;       // so many are scored in less time than it takes to find some that pass among all
    private const int SpareLeast = 20;         // candidates more than results: 8 bits do not know the order of the last ones
    private const string Columns = "c.id, v.path, c.start, c.\"end\", c.vector";
    private const int MostFilters = 8;         // that are remembered
    private readonly ClipMatrix recent = new(collection, database, approximate.Note.Revision);
    private readonly Dictionary<ClipFilter, Passing> known = [];

    /// <summary>What it searches by.</summary>
    public ApproximateIndex Index => approximate;

    /// <summary>Which clips a filter lets pass, as long as nothing changes.</summary>
    /// <param name="Revision">The last change that was looked at.</param>
    /// <param name="Few">All of them, where they are few.</param>
    /// <param name="Many">Else they, for a look at one after the other.</param>
    private sealed record Passing(long Revision, long[]? Few, PassingClips? Many);

    /// <summary>The nearest clips to each query; within a transaction.</summary>
    public IReadOnlyList<ClipAnswer> Search(ClipVectors queries, int count, ClipFilter? filter, CancellationToken cancellation)
    {
        var passing = filter is null ? null : Pass(filter, cancellation);
        if (passing?.Few is { } few)
        {
            return [.. Enumerable.Range(0, queries.Count).Select(i =>
            {
                cancellation.ThrowIfCancellationRequested();
                return new ClipAnswer(Best(few.Select(clip => Score(queries[i], clip)).OfType<ClipMatch>(), count));
            })];
        }
        recent.Refresh(cancellation);
        var fresh = recent.Search(queries, count, filter, cancellation);
        return [.. Enumerable.Range(0, queries.Count).Select(i =>
        {
            cancellation.ThrowIfCancellationRequested();
            var near = approximate.Nearest(queries[i].Span, count + Math.Max(SpareLeast, count / 2), passing?.Many, cancellation).Clips;
            return new ClipAnswer(Best(near.Select(clip => Score(queries[i], clip)).OfType<ClipMatch>().Concat(fresh[i]).DistinctBy(match => match.Clip.Id), count)) { IsApproximate = true };
        })];
    }

    /// <summary>Closes the approximate index and forgets what came after it.</summary>
    public void Dispose()
    {
        recent.Dispose();
        approximate.Dispose();
    }

    private static ClipMatch[] Best(IEnumerable<ClipMatch> matches, int count) => [.. matches.OrderByDescending(match => match.Score).ThenBy(match => match.Clip.Id).Take(count)];

    // Null where it has gone since it was built.
    private ClipMatch? Score(ReadOnlyMemory<float> query, long id)
    {
        using var rows = database.Query($"SELECT {Columns} FROM clips c JOIN videos v ON v.id = c.video WHERE c.id = ? AND v.collection = ?", id, collection.Id);
        return rows.Next() ? Match(rows, query) : null;
    }

    private static ClipMatch Match(SqliteRows rows, ReadOnlyMemory<float> query)
    {
        if (rows.Floats(4).Length != query.Length) throw rows.Damaged();
        return new ClipMatch(new IndexedClip(rows.Long(0), rows.Text(1), new ClipSpan(rows.Double(2), rows.Double(3))), TensorPrimitives.Dot(query.Span, rows.Floats(4)));
    }

    private Passing Pass(ClipFilter filter, CancellationToken cancellation)
    {
        var revision = database.Number("SELECT max(revision) FROM changes") ?? 0;
        if (known.TryGetValue(filter, out var before) && before.Revision == revision) return before;
        if (known.Count >= MostFilters) known.Clear();
        List<object?> values = [collection.Id];
        var conditions = SqlFilter.Conditions(filter, values, postgres: false);
        var few = new List<long>();
        ulong[]? bits = null;
        var looked = 0;
        using var rows = database.Query($"SELECT c.id FROM videos v CROSS JOIN clips c ON c.video = v.id WHERE v.collection = ?{conditions}", [.. values]);
        while (rows.Next())
        {
            if (++looked % FewClips == 0) cancellation.ThrowIfCancellationRequested();
            if (bits is null && few.Count < FewClips)
            {
                few.Add(rows.Long(0));
                continue;
            }
            if (bits is null)
            {
                bits = new ulong[((database.Number("SELECT max(id) FROM clips") ?? 0) >> 6) + 1];
                foreach (var id in few) Set(bits, id);
            }
            Set(bits, rows.Long(0));
        }
        return known[filter] = new Passing(revision, bits is null ? [.. few] : null, bits is null ? null : new PassingClips(bits, looked));
    }

    private static void Set(ulong[] bits, long id) => bits[id >> 6] |= 1UL << (int)(id & 63);
}
