using Npgsql;
using Pgvector;

namespace MvAdapter.Search;

/// <summary>
/// A store in a PostgreSQL database with pgvector, for many workers and servers at once. Large collections are searched
/// through an HNSW index over 16-bit vectors, and what that finds is scored again with the 32-bit ones; small ones exactly.
/// </summary>
internal sealed class PostgresStore : ClipStore
{
    private const int PageOfVideos = 1000;
    private const int WidestInline = 1900;   // numbers of a vector that fits a page of 8 kB
    private const int WidestIndexed = 4000;  // pgvector's limit of an HNSW index over halfvec
    private const string VideoRows = """
        SELECT v.id, v.path, v.size, v.modified, v.hash, v.duration, v.splitting, v.problem, v.tags, v.clips
        FROM mvadapter.videos v WHERE v.collection = $1
        """;

    private PostgresStore(PostgresDatabase database) => (Database, Annotations, Shards) = (database, new PostgresAnnotations(database), new PostgresShards(database));

    /// <inheritdoc/>
    public override AnnotationStore Annotations { get; }

    /// <inheritdoc/>
    public override string Name => Database.Name;

    /// <summary>The database, for what else is kept there.</summary>
    internal PostgresDatabase Database { get; }

    /// <summary>The servers that have a part of the clips.</summary>
    internal PostgresShards Shards { get; }

    /// <summary>
    /// Called within the transaction that writes a video, before its commit: what it changes is committed with the video, and
    /// what it throws prevents both.
    /// </summary>
    internal Action<PostgresSession, VideoEntry>? Writing { get; set; }

    /// <summary>Connects to a server.</summary>
    public static PostgresStore OpenAddress(string address, StoreAccess access)
    {
        var database = PostgresDatabase.Open(PostgresAddress.Parse(address));
        try
        {
            PostgresSchema.Prepare(database, access);
            return new PostgresStore(database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>The table with a collection's clips.</summary>
    internal static string Table(ClipCollection collection) => $"mvadapter.clips_{collection.Id}";

    /// <summary>Makes a collection's HNSW index: over 16-bit vectors, half the memory of 32 bits for the same recall.</summary>
    internal static void MakeIndex(PostgresSession session, ClipCollection collection) => session.ExecuteLong(NearestIndex(IndexName(collection), Table(collection), collection.Model.Width));

    /// <summary>The statement that makes such an index.</summary>
    internal static string NearestIndex(string name, string table, int width) => $"CREATE INDEX {name} ON {table} USING hnsw ((vector::halfvec({width})) halfvec_ip_ops)";

    /// <summary>
    /// The statement that keeps vectors in their rows, where a page holds them: by default pgvector's values leave the row when they exceed 2 kB, which 512 numbers do, and every
    /// score would be another read.
    /// </summary>
    internal static string Inline(string table, int width) => width <= WidestInline ? $"ALTER TABLE {table} ALTER vector SET STORAGE PLAIN" : "";

    /// <summary>The name of that index, without its schema.</summary>
    internal static string IndexName(ClipCollection collection) => $"clips_{collection.Id}_nearest";

    /// <inheritdoc/>
    public override IReadOnlyList<ClipCollection> Collections() => Database.Run(Collections);

    /// <inheritdoc/>
    public override ClipCollection AddCollection(CollectionModel model) => AddCollection(model, static (_, _) => { });

    private ClipCollection AddCollection(CollectionModel model, Action<PostgresSession, ClipCollection> whenMade)
    {
        if (model.Width > WidestIndexed) throw new MvAdapterException($"{Name}: pgvector takes vectors of at most {WidestIndexed} numbers, and this model's have {model.Width}");
        return Database.InTransaction(session =>
        {
            var made = session.Number("""
                INSERT INTO mvadapter.collections (backbone, adapter, width, clip, adapter_file, adapter_settings, vocabulary, sampling, words, splitting)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id
                """, model.Identity.Backbone, model.Identity.Adapter, model.Width, model.Clip, model.Adapter, model.AdapterSettings, model.Vocabulary,
                model.Sampling, model.Words, model.Splitting);
            var collection = Collections(session).Single(collection => collection.Model.Identity == model.Identity);
            if (made is null) return collection;
            MakePartition(session, collection);
            foreach (var shard in PostgresShards.All(session)) ShardTables.AddCollection(session, shard, collection);
            whenMade(session, collection);
            return Collections(session).Single(other => other.Id == collection.Id);
        });
    }

    /// <inheritdoc/>
    public override void RemoveCollection(ClipCollection collection) => Database.InTransaction(session =>
    {
        foreach (var shard in PostgresShards.All(session)) ShardTables.RemoveCollection(session, shard, collection);
        session.Execute($"DROP TABLE IF EXISTS {Table(collection)}");
        return session.Execute("DELETE FROM mvadapter.collections WHERE id = $1", collection.Id);
    });

    /// <inheritdoc/>
    public override ClipCollection AddCollection(CollectionModel model, ClipCollection old) => AddCollection(model, (session, next) =>
        session.Execute("INSERT INTO mvadapter.successions (collection, replaces, whole) VALUES ($1, $2, false)", next.Id, old.Id));

    /// <inheritdoc/>
    public override void Complete(ClipCollection next) =>
        Database.Run(session => session.Execute("UPDATE mvadapter.successions SET whole = true WHERE collection = $1", next.Id));

    /// <inheritdoc/>
    public override CollectionInfo Info(ClipCollection collection) => Database.Run(session => session.Rows("""
        SELECT count(*) FILTER (WHERE problem IS NULL), count(*) FILTER (WHERE problem IS NOT NULL), coalesce(sum(duration), 0), coalesce(sum(clips), 0)
        FROM mvadapter.videos WHERE collection = $1
        """, row => new CollectionInfo(collection, row.GetInt64(0), row.GetInt64(1), row.GetInt64(3), row.GetDouble(2)), collection.Id).Single());

    /// <inheritdoc/>
    public override IndexedVideo? FindVideo(ClipCollection collection, string path) =>
        ReadVideos($"{VideoRows} AND v.path = $2", collection.Id, path).FirstOrDefault();

    /// <inheritdoc/>
    public override IReadOnlyList<IndexedVideo> FindByHash(ClipCollection collection, string hash) =>
        ReadVideos($"{VideoRows} AND v.hash = $2", collection.Id, hash);

    /// <inheritdoc/>
    public override IReadOnlySet<string> AnnotatedHashes(ClipCollection collection) => Database.Run(session => session.Rows(
        "SELECT DISTINCT hash FROM mvadapter.annotations a WHERE EXISTS (SELECT 1 FROM mvadapter.videos v WHERE v.collection = $1 AND v.hash = a.hash)",
        row => row.GetString(0), collection.Id)).ToHashSet(StringComparer.Ordinal);

    /// <inheritdoc/>
    public override IEnumerable<IndexedVideo> Videos(ClipCollection collection, ClipFilter? filter = null)
    {
        var last = "";
        while (true)
        {
            // A page at a time: whoever enumerates slowly keeps no connection.
            var values = new List<object?> { collection.Id, last };
            var page = ReadVideos($"{VideoRows} AND v.path > $2 {SqlFilter.Conditions(filter, values, postgres: true)} ORDER BY v.path LIMIT {PageOfVideos}", [.. values]);
            foreach (var video in page) yield return video;
            if (page.Count < PageOfVideos) yield break;
            last = page[^1].Entry.Path;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<IndexedClip> Clips(ClipCollection collection, IndexedVideo video) => Database.Run(session =>
    {
        var table = ShardOf(session, video.Id)?.Clips(collection) ?? Table(collection);
        return session.Rows($"SELECT id, start, \"end\" FROM {table} WHERE video = $1 ORDER BY start, id",
            row => new IndexedClip(row.GetInt64(0), video.Entry.Path, new ClipSpan(row.GetDouble(1), row.GetDouble(2))), video.Id);
    });

    /// <inheritdoc/>
    public override (IndexedClip Clip, ClipVectors Vector)? FindClip(ClipCollection collection, long id)
    {
        var found = Database.Run(session => session.Rows($"""
            SELECT v.path, c.start, c."end", c.vector
            FROM ({AllClips(session, collection, "video, start, \"end\", vector", "id = $1")}) c JOIN mvadapter.videos v ON v.id = c.video AND v.shard IS NOT DISTINCT FROM c.shard
            """, row => (Clip: new IndexedClip(id, row.GetString(0), new ClipSpan(row.GetDouble(1), row.GetDouble(2))),
                Vector: new ClipVectors(collection.Model.Identity, collection.Model.Width, row.GetFieldValue<Vector>(3).Memory)), id));
        return found.Count == 0 ? null : found[0];
    }

    /// <inheritdoc/>
    public override bool UpdateVideo(ClipCollection collection, long id, VideoEntry entry) => Database.InTransaction(session =>
    {
        var changed = session.Rows("""
            UPDATE mvadapter.videos SET path = $2, size = $3, modified = $4, hash = $5, duration = $6, splitting = $7, problem = $8, tags = $9
            WHERE collection = $1 AND id = $10 RETURNING shard
            """, row => row.GetFieldValue<int?>(0), [.. Values(collection, entry), id]);
        if (changed is not [var place]) return false;
        if (place is { } shard) ShardTables.UpdateVideo(session, PostgresShards.One(session, shard), id, entry);
        Writing?.Invoke(session, entry);
        return true;
    });

    /// <inheritdoc/>
    public override bool RemoveVideo(ClipCollection collection, string path) => Database.InTransaction(session =>
    {
        var (id, number) = session.Rows("DELETE FROM mvadapter.videos WHERE collection = $1 AND path = $2 RETURNING id, shard",
            row => (row.GetInt64(0), row.GetFieldValue<int?>(1)), collection.Id, path).SingleOrDefault();
        if (number is { } shard) ShardTables.RemoveVideo(session, PostgresShards.One(session, shard), id);
        return id != 0;
    });

    /// <inheritdoc/>
    public override IReadOnlyList<string> Verify(IProgress<long>? clipsChecked = null, CancellationToken cancellation = default) =>
        new PostgresVerifier(Database, Collections()).Run(clipsChecked, cancellation);

    /// <inheritdoc/>
    protected override long[] ClipIds(ClipCollection collection) =>
        [.. Database.Run(session => session.Rows($"SELECT id FROM ({AllClips(session, collection, "id", "true")}) c ORDER BY id", row => row.GetInt64(0)))];

    /// <inheritdoc/>
    protected override IReadOnlyList<SampledClip> Clips(ClipCollection collection, long[] ids) => Database.Run(session => session.Rows($"""
        SELECT c.id, v.path, v.hash, c.start, c."end", c.vector
        FROM ({AllClips(session, collection, "id, video, start, \"end\", vector", "id = ANY($1)")}) c JOIN mvadapter.videos v ON v.id = c.video AND v.shard IS NOT DISTINCT FROM c.shard ORDER BY c.id
        """, row => new SampledClip(new IndexedClip(row.GetInt64(0), row.GetString(1), new ClipSpan(row.GetDouble(3), row.GetDouble(4))), row.GetString(2),
            row.GetFieldValue<Vector>(5).Memory), ids));

    /// <inheritdoc/>
    protected override long Replace(ClipCollection collection, VideoEntry entry, IReadOnlyList<ClipSpan> spans, ClipVectors vectors) =>
        Database.InTransaction(session =>
        {
            // The upsert locks the video's row: of two that write one path, the later waits and replaces the other's clips.
            var (id, place) = session.Rows($"""
                INSERT INTO mvadapter.videos (collection, path, size, modified, hash, duration, splitting, problem, tags, clips, shard)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {PostgresShards.Home("$2")})
                ON CONFLICT (collection, path) DO UPDATE SET size = excluded.size, modified = excluded.modified, hash = excluded.hash,
                    duration = excluded.duration, splitting = excluded.splitting, problem = excluded.problem, tags = excluded.tags, clips = excluded.clips
                RETURNING id, shard
                """, row => (row.GetInt64(0), row.GetFieldValue<int?>(1)), [.. Values(collection, entry), spans.Count]).Single();
            if (place is { } shard)
            {
                ShardTables.Replace(session, PostgresShards.One(session, shard), collection, id, entry, spans, vectors);
            }
            else
            {
                session.Execute("DELETE FROM mvadapter.clips WHERE collection = $1 AND video = $2", collection.Id, id);
                if (spans.Count > 0) session.CopyClips(collection, spans.Select((span, i) => (id, span, vectors[i])));
            }
            Writing?.Invoke(session, entry);
            return id;
        });

    /// <inheritdoc/>
    protected override IReadOnlyList<ClipAnswer> Find(
        ClipCollection collection, ClipVectors queries, int count, ClipFilter? filter, bool exact, CancellationToken cancellation) =>
        new PostgresSearch(Database, Shards, collection).Find(queries, count, filter, exact, cancellation);

    /// <inheritdoc/>
    public override void CopyTo(string path, CancellationToken cancellation = default) =>
        throw new UsageException($"{TextForMessage.Quote(Name)} is copied by PostgreSQL's own tools: pg_dump --schema=mvadapter, or a base backup of the server");

    /// <inheritdoc/>
    public override ApproximateIndexBuilder? ApproximateIndexBuilder(ClipCollection collection, int? threads = null) => null;

    /// <inheritdoc/>
    public override bool IsApproximate(ClipCollection collection) => Database.Run(session => !new PostgresSearch(Database, Shards, collection).FewPass(session, filter: null));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        Shards.Dispose();
        Database.Dispose();
    }

    internal static List<ClipCollection> Collections(PostgresSession session) => session.Rows("""
        SELECT id, backbone, adapter, width, clip, adapter_file, adapter_settings, vocabulary, sampling, words, splitting, s.replaces, s.whole
        FROM mvadapter.collections LEFT JOIN mvadapter.successions s ON s.collection = id ORDER BY id
        """, row => new ClipCollection(row.GetInt64(0), new CollectionModel(new ModelIdentity(row.GetString(1), row.GetString(2)), row.GetInt32(3), row.GetString(4))
        {
            Adapter = TextOrNull(row, 5),
            AdapterSettings = TextOrNull(row, 6),
            Vocabulary = TextOrNull(row, 7),
            Sampling = row.GetString(8),
            Words = row.GetInt32(9),
            Splitting = row.GetString(10),
        })
        {
            Replaces = row.IsDBNull(11) ? null : row.GetInt64(11),
            IsBuilding = !row.IsDBNull(11) && !row.GetBoolean(12),
        });

    // The shard of a video's clips; null where they are on the first server.
    private static PostgresShard? ShardOf(PostgresSession session, long video) =>
        session.Number("SELECT shard FROM mvadapter.videos WHERE id = $1", video) is { } shard ? PostgresShards.One(session, (int)shard) : null;

    // Clips of all servers with the shard that they come from.
    private static string AllClips(PostgresSession session, ClipCollection collection, string columns, string condition) => string.Join(" UNION ALL ",
        [$"SELECT {columns}, NULL::int AS shard FROM {Table(collection)} WHERE {condition}",
            .. PostgresShards.All(session).Select(shard => $"SELECT {columns}, {shard.Id} AS shard FROM {shard.Clips(collection)} WHERE {condition}")]);

    private static void MakePartition(PostgresSession session, ClipCollection collection)
    {
        var table = Table(collection);
        session.Execute($"CREATE TABLE {table} PARTITION OF mvadapter.clips FOR VALUES IN ({collection.Id})");
        if (Inline(table, collection.Model.Width) is { Length: > 0 } inline) session.Execute(inline);
        MakeIndex(session, collection);
    }

    private List<IndexedVideo> ReadVideos(string sql, params object?[] values) => Database.Run(session => session.Rows(sql, row =>
        new IndexedVideo(row.GetInt64(0), new VideoEntry(row.GetString(1))
        {
            Size = row.GetInt64(2),
            Modified = new DateTime(row.GetInt64(3), DateTimeKind.Utc),
            Hash = row.GetString(4),
            Duration = row.GetDouble(5),
            Splitting = row.GetString(6),
            Problem = TextOrNull(row, 7),
            Tags = row.GetFieldValue<string[]>(8),
        }, row.GetInt32(9)), values));

    private static string? TextOrNull(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    private static object?[] Values(ClipCollection collection, VideoEntry entry) =>
        [collection.Id, entry.Path, entry.Size, entry.Modified.Ticks, entry.Hash, entry.Duration, entry.Splitting, entry.Problem, entry.Tags.ToArray()];
}
