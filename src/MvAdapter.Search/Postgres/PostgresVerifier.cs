namespace MvAdapter.Search;

/// <summary>Checks an index in PostgreSQL: that its tables say one thing. Damaged pages are the server's own business (pg_amcheck).</summary>
internal sealed class PostgresVerifier(PostgresDatabase database, IReadOnlyList<ClipCollection> collections)
{
    private const int MostFaults = 100;
    private const int PageOfClips = 20_000;

    // Each gives a line of text for each fault.
    private static readonly string[] Questions =
    [
        "SELECT 'a clip of another collection''s video: clip ' || c.id FROM mvadapter.clips c JOIN mvadapter.videos v ON v.id = c.video WHERE v.collection <> c.collection",
        "SELECT 'a clip twice: ' || v.path || ' from ' || c.start || ' s' FROM mvadapter.clips c JOIN mvadapter.videos v ON v.id = c.video GROUP BY v.path, c.video, c.start, c.\"end\" HAVING count(*) > 1",
        "SELECT 'no clips, and no reason why: ' || path FROM mvadapter.videos v WHERE problem IS NULL AND clips = 0",
        "SELECT 'clips are missing: ' || path FROM mvadapter.videos v WHERE shard IS NULL AND clips > (SELECT count(*) FROM mvadapter.clips WHERE video = v.id)",
        "SELECT 'a clip ends before it begins: ' || v.path || ' from ' || c.start || ' s' FROM mvadapter.clips c JOIN mvadapter.videos v ON v.id = c.video WHERE NOT (c.start >= 0 AND c.\"end\" > c.start)",
        "SELECT 'an index that is not usable: ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid AND indexrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'mvadapter'::regnamespace)",
    ];

    public IReadOnlyList<string> Run(IProgress<long>? clipsChecked, CancellationToken cancellation)
    {
        var faults = new List<string>();
        foreach (var question in Questions)
            faults.AddRange(database.Run(session => session.Rows($"{question} LIMIT {MostFaults}", row => TextForMessage.Quote(row.GetString(0))), cancellation));
        var shards = database.Run(PostgresShards.All, cancellation);
        var done = 0L;
        foreach (var collection in collections)
        {
            foreach (var (count, found) in new[] { PostgresStore.Table(collection) }.Concat(shards.Select(shard => shard.Clips(collection))).SelectMany(table => Pages(collection, table, cancellation)))
            {
                faults.AddRange(found.Take(MostFaults).Select(fault => TextForMessage.Quote(fault)));
                clipsChecked?.Report(done += count);
            }
            faults.AddRange(shards.SelectMany(shard => ShardTables.Incomplete(database, shard, collection, cancellation).Take(MostFaults)
                .Select(video => $"its clips are not on {TextForMessage.Quote(shard.Name)}, where they should be: {TextForMessage.Quote(video.Path)}; \"index shards repair\" has it indexed again")));
        }
        foreach (var shard in shards)
        {
            if (ShardTables.LeftBehind(database, shard, cancellation) is { Count: > 0 and var left })
                faults.Add($"{TextForMessage.Quote(shard.Name)} keeps {left} videos that belong elsewhere; nobody sees them, and \"index shards move\" deletes them");
        }
        return faults;
    }

    // The server looks at the vectors, a page at a time: sending them here would take longer than reading them. pgvector keeps
    // no value that is not finite.
    private IEnumerable<(long Count, string[] Faults)> Pages(ClipCollection collection, string table, CancellationToken cancellation)
    {
        for (var last = 0L; ;)
        {
            var (end, count, faults) = database.Run(session => session.Rows($"""
                SELECT coalesce(max(id), 0), count(*), coalesce(array_agg(fault) FILTER (WHERE fault IS NOT NULL), ARRAY[]::text[]) FROM (
                    SELECT c.id, CASE
                        WHEN vector_dims(c.vector) <> $2 THEN format('clip %s of %s: its vector has %s numbers instead of %s', c.id, v.path, vector_dims(c.vector), $2)
                        WHEN NOT abs(vector_norm(c.vector) - 1) <= $3 THEN format('clip %s of %s: its vector has length %s instead of 1', c.id, v.path, vector_norm(c.vector))
                        END AS fault
                    FROM {table} c JOIN mvadapter.videos v ON v.id = c.video
                    WHERE c.collection = $1 AND c.id > $4 ORDER BY c.id LIMIT {PageOfClips}) page
                """, row => (row.GetInt64(0), row.GetInt64(1), row.GetFieldValue<string[]>(2)),
                collection.Id, collection.Model.Width, (double)ClipVectors.LengthTolerance, last).Single(), cancellation);
            yield return (count, faults);
            if (count < PageOfClips) yield break;
            last = end;
        }
    }
}
