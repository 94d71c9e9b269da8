using System.Globalization;
using System.Numerics.Tensors;
using Npgsql;
using Pgvector;

namespace MvAdapter.Search;

/// <summary>The nearest clips of a collection in PostgreSQL.</summary>
/// <param name="database">The database.</param>
/// <param name="shards">The servers that have a part of the clips.</param>
/// <param name="collection">The collection.</param>
/// <param name="fewClips">Up to so many every one is looked at: that is exact, and takes no longer than HNSW would save.</param>
internal sealed class PostgresSearch(PostgresDatabase database, PostgresShards shards, ClipCollection collection, int fewClips = 20_000)
{
    private const int RowBytes = 80;               // of a clip, besides its vector
    private const int MostAttempts = 5;
    private const int MostExplored = 1000;         // pgvector's limit
    private const int MostSpare = 100;
    private const int SecondsOfApproximate = 10;   // after which some shard hangs

    /// <summary>hnsw.ef_search: recall above 0.95 at a million clips, see docs/performance.md.</summary>
    internal const int LeastExplored = 400;

    /// <summary>Rows that a filter may refuse before the rest is read whole.</summary>
    internal const int MostScanned = 50_000;

    /// <summary>For each query the best, the nearest first; of equal scores the older clip.</summary>
    /// <param name="queries">The queries.</param>
    /// <param name="count">The most results a query.</param>
    /// <param name="filter">Which videos to look at; null for all.</param>
    /// <param name="exact">Whether every clip is looked at, however many there are.</param>
    /// <param name="cancellation">Ends the search.</param>
    public IReadOnlyList<ClipAnswer> Find(ClipVectors queries, int count, ClipFilter? filter, bool exact, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return database.InTransaction(session => Find(session, queries, count, filter, exact), cancellation);
            }
            catch (ShardAwayException e)
            {
                // Either it is asked no more, or all answer again.
                if (shards.FindAway(cancellation)) continue;
                if (attempt == MostAttempts || e.InnerException is PostgresException { SqlState: PostgresErrorCodes.QueryCanceled })
                    throw new MvAdapterException($"{TextForMessage.Quote(database.Name)}: the search fails or takes too long, and all servers answer ({TextForMessage.Quote(e.Message, 200)})", e);
            }
        }
    }

    /// <summary>Whether so few clips pass a filter that all are looked at.</summary>
    public bool FewPass(PostgresSession session, ClipFilter? filter)
    {
        // Of the first server's whole table the size is known without counting.
        if (filter is null && session.Number("SELECT pg_relation_size($1::text::regclass)", PostgresStore.Table(collection)) > fewClips * (collection.Model.Width * 4L + RowBytes)) return false;
        var values = new List<object?> { collection.Id };
        var conditions = SqlFilter.Conditions(filter, values, postgres: true);
        return (session.Number($"""
            SELECT sum(clips) FROM (SELECT clips FROM mvadapter.videos v WHERE v.collection = $1 AND v.clips > 0{conditions} LIMIT {fewClips + 1}) passing
            """, [.. values]) ?? 0) <= fewClips;
    }

    private ClipAnswer[] Find(PostgresSession session, ClipVectors queries, int count, ClipFilter? filter, bool exact)
    {
        exact = exact || FewPass(session, filter);
        var all = PostgresShards.All(session);
        var (missing, asked) = (all.Where(shards.IsAway).ToList(), all.Where(shard => !shards.IsAway(shard)).ToList());
        // The server's sums differ in their last bits, and 16 bits of a vector in more: some further clips are scored here.
        var candidates = count + Math.Min(count / 2, MostSpare) + 10;
        if (!exact) Explore(session, candidates);
        return [.. Enumerable.Range(0, queries.Count).Select(i =>
        {
            var near = exact ? [] : Nearest(session, queries[i], candidates, filter, asked, exact: false);
            // Fewer than asked for: the filter lets pass what is far from the query.
            if (near.Count < candidates) near = Nearest(session, queries[i], candidates, filter, asked, exact: true);
            return new ClipAnswer([.. near.OrderByDescending(match => match.Score).ThenBy(match => match.Clip.Id).Take(count)])
            {
                IsApproximate = !exact,
                Missing = [.. missing.Select(shard => shard.Name)],
            };
        })];
    }

    // Shards have these settings from their foreign server.
    private static void Explore(PostgresSession session, int candidates) => session.Execute("""
        SELECT set_config('hnsw.ef_search', $1::int::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true),
            set_config('hnsw.max_scan_tuples', $2::int::text, true)
        """, Math.Clamp(candidates, LeastExplored, MostExplored), Math.Max(MostScanned, 4 * candidates));

    private List<ClipMatch> Nearest(PostgresSession session, ReadOnlyMemory<float> query, int count, ClipFilter? filter, IReadOnlyList<PostgresShard> asked, bool exact)
    {
        var values = new List<object?> { new Vector(query), count };
        var sql = Statement(SqlFilter.Conditions(filter, values, postgres: true), asked, exact);
        try
        {
            if (asked.Count > 0 && !exact)
            {
                // The server breaks the statement off; if it hangs in that, so does this side.
                session.Execute($"SET LOCAL statement_timeout = '{SecondsOfApproximate}s'");
                session.Seconds = SecondsOfApproximate + 2;
            }
            return session.Rows(sql, row => new ClipMatch(new IndexedClip(row.GetInt64(0), row.GetString(1), new ClipSpan(row.GetDouble(2), row.GetDouble(3))),
                TensorPrimitives.Dot(query.Span, row.GetFieldValue<Vector>(4).Memory.Span)), [.. values]);
        }
        catch (Exception e) when (asked.Count > 0 && !session.Cancellation.IsCancellationRequested && PostgresShards.MayBeAway(e))
        {
            throw new ShardAwayException(e);
        }
    }

    /// <summary>The statement of a search; $1 is the query, $2 how many each server gives, what follows is the filter's.</summary>
    /// <param name="conditions">The filter's conditions.</param>
    /// <param name="asked">The shards that are asked beside the first server.</param>
    /// <param name="exact">Whether all clips are looked at.</param>
    internal string Statement(string conditions, IReadOnlyList<PostgresShard> asked, bool exact)
    {
        var halves = $"vector::halfvec({collection.Model.Width})";
        var distance = exact ? "c.vector <#> $1" : $"c.{halves} <#> $1::{halves[8..]}";
        string[] parts = [Part(PostgresStore.Table(collection), "mvadapter.videos", "NULL::int"),
            .. asked.Select(shard => Part(shard.Clips(collection), shard.Videos, shard.Id.ToString(CultureInfo.InvariantCulture)))];
        return $"""
            WITH near AS MATERIALIZED (
            {string.Join("\nUNION ALL\n", parts)})
            SELECT near.id, v.path, near.start, near."end", near.vector FROM near JOIN mvadapter.videos v ON v.id = near.video AND v.shard IS NOT DISTINCT FROM near.shard
            """;

        // The distance is a column, not only an order: else PostgreSQL (15) does not ask the shards at the same time.
        string Part(string clips, string videos, string shard) => $"""
            (SELECT c.id, c.video, c.start, c."end", c.vector, {shard} AS shard, {distance} AS distance
            FROM {clips} c{(conditions.Length > 0 ? $" JOIN {videos} v ON v.id = c.video" : "")}
            WHERE true{conditions} ORDER BY distance{(exact ? ", c.id" : "")} LIMIT $2)
            """;
    }

    // No exception of the database's, so that nothing is tried again before it is known who is away.
    private sealed class ShardAwayException(Exception inner) : Exception(inner.Message, inner);
}
