using System.Numerics.Tensors;
using Pgvector;

namespace MvAdapter.Search;

/// <summary>The nearest clips of a collection in PostgreSQL.</summary>
/// <param name="database">The database.</param>
/// <param name="collection">The collection.</param>
/// <param name="fewClips">Up to so many every one is looked at: that is exact, and takes no longer than HNSW would save.</param>
internal sealed class PostgresSearch(PostgresDatabase database, ClipCollection collection, int fewClips = 20_000)
{
    private const int RowBytes = 80;               // of a clip, besides its vector
    private const int LeastExplored = 400;         // hnsw.ef_search: recall above 0.95 at a million clips, see docs/performance.md
    private const int MostExplored = 1000;         // pgvector's limit
    private const int MostScanned = 50_000;        // rows that a filter may refuse before the rest is read whole
    private const int MostSpare = 100;

    /// <summary>For each query the best, the nearest first; of equal scores the older clip.</summary>
    /// <param name="queries">The queries.</param>
    /// <param name="count">The most results a query.</param>
    /// <param name="filter">Which videos to look at; null for all.</param>
    /// <param name="exact">Whether every clip is looked at, however many there are.</param>
    /// <param name="cancellation">Ends the search.</param>
    public IReadOnlyList<IReadOnlyList<ClipMatch>> Find(ClipVectors queries, int count, ClipFilter? filter, bool exact, CancellationToken cancellation) =>
        database.InTransaction<IReadOnlyList<IReadOnlyList<ClipMatch>>>(session =>
        {
            exact = exact || FewPass(session, filter);
            // The server's sums differ in their last bits, and 16 bits of a vector in more: some further clips are scored here.
            var candidates = count + Math.Min(count / 2, MostSpare) + 10;
            if (!exact) Explore(session, candidates);
            return [.. Enumerable.Range(0, queries.Count).Select(i =>
            {
                var near = exact ? [] : Nearest(session, queries[i], candidates, filter, exact: false);
                // Fewer than asked for: the filter lets pass what is far from the query.
                if (near.Count < candidates) near = Nearest(session, queries[i], candidates, filter, exact: true);
                return near.OrderByDescending(match => match.Score).ThenBy(match => match.Clip.Id).Take(count).ToArray();
            })];
        }, cancellation);

    /// <summary>Whether so few clips pass a filter that all are looked at.</summary>
    public bool FewPass(PostgresSession session, ClipFilter? filter)
    {
        var table = PostgresStore.Table(collection);
        // Of the whole table the size is known without counting.
        if (filter is null) return session.Number("SELECT pg_relation_size($1::text::regclass)", table) <= fewClips * (collection.Model.Width * 4L + RowBytes);
        var values = new List<object?>();
        var conditions = SqlFilter.Conditions(filter, values, postgres: true);
        return session.Number($"""
            SELECT count(*) FROM (SELECT 1 FROM {table} c JOIN mvadapter.videos v ON v.id = c.video WHERE true{conditions} LIMIT {fewClips + 1}) passing
            """, [.. values]) <= fewClips;
    }

    private static void Explore(PostgresSession session, int candidates) => session.Execute("""
        SELECT set_config('hnsw.ef_search', $1::int::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.max_scan_tuples', $2::int::text, true)
        """, Math.Clamp(candidates, LeastExplored, MostExplored), Math.Max(MostScanned, 4 * candidates));

    private List<ClipMatch> Nearest(PostgresSession session, ReadOnlyMemory<float> query, int count, ClipFilter? filter, bool exact)
    {
        var values = new List<object?> { new Vector(query), count };
        var conditions = SqlFilter.Conditions(filter, values, postgres: true);
        var width = collection.Model.Width;
        var order = exact ? "c.vector <#> $1, c.id" : $"c.vector::halfvec({width}) <#> $1::halfvec({width})";
        return session.Rows($"""
            WITH near AS MATERIALIZED (
                SELECT c.id, c.video, c.start, c."end", c.vector
                FROM {PostgresStore.Table(collection)} c{(conditions.Length > 0 ? " JOIN mvadapter.videos v ON v.id = c.video" : "")}
                WHERE true{conditions} ORDER BY {order} LIMIT $2)
            SELECT near.id, v.path, near.start, near."end", near.vector FROM near JOIN mvadapter.videos v ON v.id = near.video
            """, row => new ClipMatch(new IndexedClip(row.GetInt64(0), row.GetString(1), new ClipSpan(row.GetDouble(2), row.GetDouble(3))),
                TensorPrimitives.Dot(query.Span, row.GetFieldValue<Vector>(4).Memory.Span)), [.. values]);
    }
}
