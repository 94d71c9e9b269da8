using Pgvector;

namespace MvAdapter.Search;

/// <summary>
/// The tables of a shard and what is written into them, all through the index's first server: rows by postgres_fdw, tables by dblink. A shard's
/// transaction commits just before the first server's.
/// </summary>
internal static class ShardTables
{
    private const int RowsAtOnce = 100;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    // Of a video what filters ask for, so that they are applied where its clips are.
    private const string Schema = """
        CREATE SCHEMA IF NOT EXISTS mvadapter_shard;
        CREATE EXTENSION IF NOT EXISTS vector;
        CREATE TABLE IF NOT EXISTS mvadapter_shard.owner (index uuid NOT NULL, shard int NOT NULL);
        CREATE TABLE IF NOT EXISTS mvadapter_shard.videos (
            id bigint PRIMARY KEY, collection bigint NOT NULL, path text COLLATE "C" NOT NULL, modified bigint NOT NULL, duration float8 NOT NULL,
            tags text[] NOT NULL, UNIQUE (collection, path));
        CREATE INDEX IF NOT EXISTS videos_tags ON mvadapter_shard.videos USING gin (tags);
        CREATE TABLE IF NOT EXISTS mvadapter_shard.clips (
            id bigint NOT NULL, collection bigint NOT NULL, video bigint NOT NULL REFERENCES mvadapter_shard.videos ON DELETE CASCADE,
            start float8 NOT NULL, "end" float8 NOT NULL, vector vector NOT NULL, PRIMARY KEY (collection, id)) PARTITION BY LIST (collection);
        CREATE INDEX IF NOT EXISTS clips_video ON mvadapter_shard.clips (video);
        """;

    /// <summary>A shard's own name of the table with a collection's clips.</summary>
    public static string Table(ClipCollection collection) => $"mvadapter_shard.clips_{collection.Id}";

    /// <summary>Makes a shard's tables, and those by which the first server sees them.</summary>
    public static void Make(PostgresSession session, PostgresShard shard)
    {
        Remote(session, shard, Schema);
        session.Execute($"""
            CREATE FOREIGN TABLE {shard.Videos} (id bigint NOT NULL, collection bigint NOT NULL, path text COLLATE "C" NOT NULL, modified bigint NOT NULL, duration float8 NOT NULL, tags text[] NOT NULL)
            SERVER {shard.Server} OPTIONS (schema_name 'mvadapter_shard', table_name 'videos')
            """);
    }

    /// <summary>Makes the tables of a collection's clips.</summary>
    public static void AddCollection(PostgresSession session, PostgresShard shard, ClipCollection collection)
    {
        var (table, width) = (Table(collection), collection.Model.Width);
        Remote(session, shard, $"""
            CREATE TABLE IF NOT EXISTS {table} PARTITION OF mvadapter_shard.clips FOR VALUES IN ({collection.Id});
            {PostgresStore.Inline(table, width)};
            {PostgresStore.NearestIndex($"IF NOT EXISTS {PostgresStore.IndexName(collection)}", table, width)};
            """);
        session.Execute($"""
            CREATE FOREIGN TABLE {shard.Clips(collection)} (id bigint NOT NULL, collection bigint NOT NULL, video bigint NOT NULL, start float8 NOT NULL, "end" float8 NOT NULL, vector vector NOT NULL)
            SERVER {shard.Server} OPTIONS (schema_name 'mvadapter_shard', table_name 'clips_{collection.Id}', batch_size '{RowsAtOnce}')
            """);
    }

    /// <summary>Removes the tables of a collection's clips, and its videos.</summary>
    public static void RemoveCollection(PostgresSession session, PostgresShard shard, ClipCollection collection)
    {
        session.Execute($"DROP FOREIGN TABLE IF EXISTS {shard.Clips(collection)}");
        Remote(session, shard, $"DROP TABLE IF EXISTS {Table(collection)}; DELETE FROM mvadapter_shard.videos WHERE collection = {collection.Id}");
    }

    /// <summary>Puts a video and its clips in the place of what the shard has under its path.</summary>
    public static void Replace(PostgresSession session, PostgresShard shard, ClipCollection collection, long id, VideoEntry entry, IReadOnlyList<ClipSpan> spans, ClipVectors vectors)
    {
        // By the path, not the number: a transaction that the first server did not commit had another one.
        session.Execute($"DELETE FROM {shard.Videos} WHERE collection = $1 AND path = $2", collection.Id, entry.Path);
        session.Execute($"INSERT INTO {shard.Videos} (id, collection, path, modified, duration, tags) VALUES ($1, $2, $3, $4, $5, $6)",
            id, collection.Id, entry.Path, entry.Modified.Ticks, entry.Duration, entry.Tags.ToArray());
        if (spans.Count > 0) InsertClips(session, shard, collection, [.. spans.Select((span, i) => (id, span, vectors[i]))]);
    }

    /// <summary>Writes clips of many new videos.</summary>
    public static void Append(PostgresSession session, PostgresShard shard, ClipCollection collection, IReadOnlyList<(long Video, ClipSpan Span, ReadOnlyMemory<float> Vector)> clips)
    {
        session.Execute($"""
            INSERT INTO {shard.Videos} (id, collection, path, modified, duration, tags) SELECT id, collection, path, modified, duration, tags FROM mvadapter.videos WHERE id = ANY($1)
            """, clips.Select(clip => clip.Video).Distinct().ToArray());
        InsertClips(session, shard, collection, clips);
    }

    /// <summary>Changes what is kept of a video.</summary>
    public static void UpdateVideo(PostgresSession session, PostgresShard shard, long id, VideoEntry entry) => session.Execute(
        $"UPDATE {shard.Videos} SET path = $2, modified = $3, duration = $4, tags = $5 WHERE id = $1", id, entry.Path, entry.Modified.Ticks, entry.Duration, entry.Tags.ToArray());

    /// <summary>Removes a video and its clips.</summary>
    public static void RemoveVideo(PostgresSession session, PostgresShard shard, long id) => session.Execute($"DELETE FROM {shard.Videos} WHERE id = $1", id);

    /// <summary>Videos whose rows place them on a shard that has not all their clips.</summary>
    public static IReadOnlyList<(long Id, string Path)> Incomplete(PostgresDatabase database, PostgresShard shard, ClipCollection collection, CancellationToken cancellation) =>
        Settled(database, $"""
            SELECT v.id, v.path FROM mvadapter.videos v LEFT JOIN (SELECT video, count(*) AS clips FROM {shard.Clips(collection)} GROUP BY video) c ON c.video = v.id
            WHERE v.collection = {collection.Id} AND v.shard = {shard.Id} AND v.clips <> coalesce(c.clips, 0) ORDER BY v.id
            """, cancellation);

    /// <summary>Videos that a shard has and the rows do not place there: what transactions that broke off between two servers have left. They are not seen.</summary>
    public static IReadOnlyList<(long Id, string Path)> LeftBehind(PostgresDatabase database, PostgresShard shard, CancellationToken cancellation) =>
        Settled(database, $"""
            SELECT s.id, s.path FROM {shard.Videos} s LEFT JOIN mvadapter.videos v ON v.id = s.id AND v.shard = {shard.Id} WHERE v.id IS NULL ORDER BY s.id
            """, cancellation);

    /// <summary>Runs statements on the shard that are committed there at once.</summary>
    public static void Remote(PostgresSession session, PostgresShard shard, string sql) => session.Execute("SELECT dblink_exec($1, $2)", shard.Server, sql);

    private static void InsertClips(PostgresSession session, PostgresShard shard, ClipCollection collection, IReadOnlyList<(long Video, ClipSpan Span, ReadOnlyMemory<float> Vector)> clips) =>
        session.Execute($"""
            INSERT INTO {shard.Clips(collection)} (id, collection, video, start, "end", vector)
            SELECT nextval('mvadapter.clip_ids'), $1, video, start, "end", vector
            FROM unnest($2::bigint[], $3::float8[], $4::float8[], $5::vector[]) WITH ORDINALITY clip (video, start, "end", vector, i) ORDER BY i
            """, collection.Id, clips.Select(clip => clip.Video).ToArray(), clips.Select(clip => clip.Span.Start).ToArray(), clips.Select(clip => clip.Span.End).ToArray(),
            clips.Select(clip => new Vector(clip.Vector)).ToArray());

    // One server's commit is seen before the other's: what is true twice, some seconds apart, is no transaction that is just ending.
    private static List<(long Id, string Path)> Settled(PostgresDatabase database, string sql, CancellationToken cancellation)
    {
        List<(long Id, string Path)> Ask() => database.Run(session => session.Rows(sql, row => (row.GetInt64(0), row.GetString(1))), cancellation);
        var first = Ask();
        if (first.Count == 0) return first;
        cancellation.WaitHandle.WaitOne(Settling);
        cancellation.ThrowIfCancellationRequested();
        return [.. first.Intersect(Ask())];
    }
}
