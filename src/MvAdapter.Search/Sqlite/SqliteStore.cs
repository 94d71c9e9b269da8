using System.Text.Json;

namespace MvAdapter.Search;

/// <summary>
/// A store in one SQLite file. Vectors are searched in memory, where each collection is kept in a quantised form; results
/// are exact, since what may be among them is scored again with the file's float32 vectors.
/// </summary>
internal sealed class SqliteStore : ClipStore
{
    private const int PageOfVideos = 1000;
    private const string VideoColumns = "v.id, v.path, v.size, v.modified, v.hash, v.duration, v.splitting, v.problem, v.tags";
    private const string VideoRows =
        $"SELECT {VideoColumns}, (SELECT count(*) FROM clips WHERE video = v.id) FROM videos v WHERE v.collection = ?";

    private readonly SqliteDatabase database;
    private readonly Dictionary<long, ClipMatrix> matrices = [];
    private readonly ApproximateSearches approximate;
    private readonly Lock gate = new();

    private SqliteStore(SqliteDatabase database) => (this.database, approximate, Annotations) = (database, new ApproximateSearches(database, Forget), new SqliteAnnotations(database, gate));

    /// <inheritdoc/>
    public override AnnotationStore Annotations { get; }

    /// <inheritdoc/>
    public override string Name => database.Path;

    /// <summary>Opens a file.</summary>
    public static SqliteStore OpenFile(string path, StoreAccess access)
    {
        if (Directory.Exists(path)) throw new InvalidFileException(path, "is a folder; an index is a file");
        if (access == StoreAccess.Create)
        {
            if (!Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
                throw new InvalidFileException(path, "its folder does not exist; create it or choose another --index");
        }
        else if (!File.Exists(path))
        {
            throw new InvalidFileException(path, "there is no such index; make it with \"index add\", or name another by --index");
        }
        var database = SqliteDatabase.Open(path, access);
        try
        {
            SqliteSchema.Prepare(database, access);
            return new SqliteStore(database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ClipCollection> Collections()
    {
        lock (gate)
        {
            var found = new List<ClipCollection>();
            var successions = SqliteSchema.HasTeaching(database);
            using var rows = database.Query($"""
                SELECT id, backbone, adapter, width, clip, adapter_file, adapter_settings, vocabulary, sampling, words, splitting,
                    {(successions ? "s.replaces, s.whole FROM collections LEFT JOIN successions s ON s.collection = id" : "NULL, 1 FROM collections")} ORDER BY id
                """);
            while (rows.Next())
            {
                var identity = new ModelIdentity(rows.Text(1), rows.Text(2));
                found.Add(new ClipCollection(rows.Long(0), new CollectionModel(identity, (int)rows.Long(3), rows.Text(4))
                {
                    Adapter = rows.TextOrNull(5),
                    AdapterSettings = rows.TextOrNull(6),
                    Vocabulary = rows.TextOrNull(7),
                    Sampling = rows.Text(8),
                    Words = (int)rows.Long(9),
                    Splitting = rows.Text(10),
                })
                {
                    Replaces = rows.IsNull(11) ? null : rows.Long(11),
                    IsBuilding = !rows.IsNull(11) && rows.Long(12) == 0,
                });
            }
            return found;
        }
    }

    /// <inheritdoc/>
    public override ClipCollection AddCollection(CollectionModel model)
    {
        lock (gate)
        {
            database.Run("""
                INSERT INTO collections
                    (backbone, adapter, width, clip, adapter_file, adapter_settings, vocabulary, sampling, words, splitting)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
                """, model.Identity.Backbone, model.Identity.Adapter, model.Width, model.Clip, model.Adapter, model.AdapterSettings,
                model.Vocabulary, model.Sampling, model.Words, model.Splitting);
            return Collections().Single(collection => collection.Model.Identity == model.Identity);
        }
    }

    /// <inheritdoc/>
    public override void RemoveCollection(ClipCollection collection)
    {
        lock (gate)
        {
            database.InTransaction(writes: true, () =>
            {
                database.Run("DELETE FROM changes WHERE collection = ?", collection.Id);
                database.Run("DELETE FROM collections WHERE id = ?", collection.Id);
                return true;
            });
            Forget(collection);
            approximate.Remove(collection);
        }
    }

    /// <inheritdoc/>
    public override ClipCollection AddCollection(CollectionModel model, ClipCollection old)
    {
        lock (gate)
        {
            return database.InTransaction(writes: true, () =>
            {
                if (Collections().FirstOrDefault(collection => collection.Model.Identity == model.Identity) is { } known) return known;
                var next = AddCollection(model);
                database.Run("INSERT INTO successions (collection, replaces, whole) VALUES (?, ?, 0)", next.Id, old.Id);
                return next with { Replaces = old.Id, IsBuilding = true };
            });
        }
    }

    /// <inheritdoc/>
    public override void Complete(ClipCollection next)
    {
        lock (gate) database.Run("UPDATE successions SET whole = 1 WHERE collection = ?", next.Id);
    }

    /// <inheritdoc/>
    public override CollectionInfo Info(ClipCollection collection)
    {
        lock (gate)
        {
            using var rows = database.Query("""
                SELECT count(*) FILTER (WHERE problem IS NULL), count(*) FILTER (WHERE problem IS NOT NULL), total(duration),
                    (SELECT count(*) FROM videos v JOIN clips ON clips.video = v.id WHERE v.collection = ?1)
                FROM videos WHERE collection = ?1
                """, collection.Id);
            rows.Next();
            return new CollectionInfo(collection, rows.Long(0), rows.Long(1), rows.Long(3), rows.Double(2));
        }
    }

    /// <inheritdoc/>
    public override IndexedVideo? FindVideo(ClipCollection collection, string path) =>
        ReadVideos($"{VideoRows} AND v.path = ?", collection.Id, path).FirstOrDefault();

    /// <inheritdoc/>
    public override IReadOnlyList<IndexedVideo> FindByHash(ClipCollection collection, string hash) =>
        ReadVideos($"{VideoRows} AND v.hash = ?", collection.Id, hash);

    /// <inheritdoc/>
    public override IReadOnlySet<string> AnnotatedHashes(ClipCollection collection)
    {
        lock (gate)
        {
            var hashes = new HashSet<string>(StringComparer.Ordinal);
            if (!SqliteSchema.HasTeaching(database)) return hashes;
            using var rows = database.Query("SELECT DISTINCT hash FROM annotations a WHERE EXISTS (SELECT 1 FROM videos v WHERE v.collection = ? AND v.hash = a.hash)", collection.Id);
            while (rows.Next()) hashes.Add(rows.Text(0));
            return hashes;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<IndexedVideo> Videos(ClipCollection collection, ClipFilter? filter = null)
    {
        var last = "";
        while (true)
        {
            // A page at a time: whoever enumerates slowly keeps neither a lock nor an old state of the file.
            var page = ReadVideos($"{VideoRows} AND v.path > ? ORDER BY v.path LIMIT {PageOfVideos}", collection.Id, last);
            foreach (var video in page)
                if (filter is null || filter.Allows(video.Entry)) yield return video;
            if (page.Count < PageOfVideos) yield break;
            last = page[^1].Entry.Path;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<IndexedClip> Clips(ClipCollection collection, IndexedVideo video)
    {
        lock (gate)
        {
            var clips = new List<IndexedClip>();
            using var rows = database.Query("SELECT id, start, \"end\" FROM clips WHERE video = ? ORDER BY start, id", video.Id);
            while (rows.Next()) clips.Add(new IndexedClip(rows.Long(0), video.Entry.Path, new ClipSpan(rows.Double(1), rows.Double(2))));
            return clips;
        }
    }

    /// <inheritdoc/>
    public override (IndexedClip Clip, ClipVectors Vector)? FindClip(ClipCollection collection, long id)
    {
        lock (gate)
        {
            using var rows = database.Query("""
                SELECT v.path, c.start, c."end", c.vector FROM clips c JOIN videos v ON v.id = c.video WHERE v.collection = ? AND c.id = ?
                """, collection.Id, id);
            if (!rows.Next()) return null;
            var vector = new ClipVectors(collection.Model.Identity, collection.Model.Width, rows.Floats(3).ToArray());
            return (new IndexedClip(id, rows.Text(0), new ClipSpan(rows.Double(1), rows.Double(2))), vector);
        }
    }

    /// <inheritdoc/>
    public override bool UpdateVideo(ClipCollection collection, long id, VideoEntry entry)
    {
        lock (gate)
        {
            return database.InTransaction(writes: true, () =>
            {
                database.Run("""
                    UPDATE videos SET path = ?, size = ?, modified = ?, hash = ?, duration = ?, splitting = ?, problem = ?, tags = ?
                    WHERE collection = ? AND id = ?
                    """, [.. Values(entry), collection.Id, id]);
                if (database.Changes == 0) return false;
                NoteChange(collection, id);
                return true;
            });
        }
    }

    /// <inheritdoc/>
    public override bool RemoveVideo(ClipCollection collection, string path)
    {
        lock (gate)
        {
            return database.InTransaction(writes: true, () =>
            {
                const string delete = "DELETE FROM videos WHERE collection = ? AND path = ? RETURNING id";
                if (database.Number(delete, collection.Id, path) is not { } id) return false;
                NoteChange(collection, id);
                return true;
            });
        }
    }

    /// <inheritdoc/>
    public override bool IsApproximate(ClipCollection collection)
    {
        lock (gate) return approximate.Of(collection) is not null;
    }

    /// <inheritdoc/>
    public override void CopyTo(string path, CancellationToken cancellation = default)
    {
        if (Path.Exists(path)) throw new UsageException($"{TextForMessage.Quote(path)} is there already; a copy goes into a new file");
        // By a connection of its own, so that searches go on.
        using var own = SqliteDatabase.Open(database.Path, StoreAccess.Write);
        own.CopyTo(path, cancellation);
    }

    /// <inheritdoc/>
    public override ApproximateIndexBuilder ApproximateIndexBuilder(ClipCollection collection, int? threads = null) => new(database.Path, collection, threads ?? Environment.ProcessorCount);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Verify(IProgress<long>? clipsChecked = null, CancellationToken cancellation = default)
    {
        lock (gate)
        {
            return [.. new SqliteVerifier(database).Run(clipsChecked, cancellation), .. Collections().Where(collection => ApproximateIndexNote.WhenWritten(database.Path, collection) is not null && ApproximateIndexNote.Read(database.Path, collection)?.IsSound(database.Path) != true)
                .Select(collection => $"the approximate index of collection {collection.Id} is damaged: \"index build\" makes it anew")];
        }
    }

    /// <inheritdoc/>
    protected override long[] ClipIds(ClipCollection collection)
    {
        lock (gate)
        {
            var ids = new List<long>();
            using var rows = database.Query("SELECT c.id FROM videos v JOIN clips c ON c.video = v.id WHERE v.collection = ?", collection.Id);
            while (rows.Next()) ids.Add(rows.Long(0));
            ids.Sort();
            return [.. ids];
        }
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<SampledClip> Clips(ClipCollection collection, long[] ids)
    {
        lock (gate)
        {
            return database.InTransaction(writes: false, () =>
            {
                var clips = new List<SampledClip>(ids.Length);
                foreach (var id in ids)
                {
                    using var rows = database.Query("SELECT v.path, v.hash, c.start, c.\"end\", c.vector FROM clips c JOIN videos v ON v.id = c.video WHERE c.id = ? AND v.collection = ?", id, collection.Id);
                    if (rows.Next()) clips.Add(new SampledClip(new IndexedClip(id, rows.Text(0), new ClipSpan(rows.Double(2), rows.Double(3))), rows.Text(1), rows.Floats(4).ToArray()));
                }
                return clips;
            });
        }
    }

    /// <inheritdoc/>
    protected override long Replace(ClipCollection collection, VideoEntry entry, IReadOnlyList<ClipSpan> spans, ClipVectors vectors)
    {
        lock (gate)
        {
            return database.InTransaction(writes: true, () =>
            {
                var id = database.Number("""
                    INSERT INTO videos (path, size, modified, hash, duration, splitting, problem, tags, collection)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (collection, path) DO UPDATE SET size = excluded.size, modified = excluded.modified, hash = excluded.hash,
                        duration = excluded.duration, splitting = excluded.splitting, problem = excluded.problem, tags = excluded.tags
                    RETURNING id
                    """, [.. Values(entry), collection.Id])!.Value;
                database.Run("DELETE FROM clips WHERE video = ?", id);
                const string insert = "INSERT INTO clips (video, start, \"end\", vector) VALUES (?, ?, ?, ?) RETURNING id";
                for (var i = 0; i < spans.Count; i++)
                {
                    var clip = database.Number(insert, id, spans[i].Start, spans[i].End, vectors[i]);
                    database.Run("INSERT INTO checksums (clip, crc32c) VALUES (?, ?)", clip, SqliteVerifier.Checksum(vectors[i].Span));
                }
                NoteChange(collection, id);
                return id;
            });
        }
    }

    /// <inheritdoc/>
    protected override IReadOnlyList<ClipAnswer> Find(
        ClipCollection collection, ClipVectors queries, int count, ClipFilter? filter, bool exact, CancellationToken cancellation)
    {
        lock (gate)
        {
            if (!exact && approximate.Of(collection) is { } search) return database.InTransaction(writes: false, () => search.Search(queries, count, filter, cancellation));
            if (!matrices.TryGetValue(collection.Id, out var matrix))
                matrices[collection.Id] = matrix = new ClipMatrix(collection, database);
            // One transaction: what is scored again is what is in memory.
            return database.InTransaction<IReadOnlyList<ClipAnswer>>(writes: false, () =>
            {
                matrix.Refresh(cancellation);
                return [.. matrix.Search(queries, count, filter, cancellation).Select(matches => new ClipAnswer(matches))];
            });
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        lock (gate)
        {
            approximate.Dispose();
            foreach (var matrix in matrices.Values) matrix.Dispose();
            matrices.Clear();
            database.Dispose();
        }
    }

    /// <summary>A video's columns in the order of <see cref="VideoColumns"/>.</summary>
    internal static VideoEntry ReadEntry(SqliteRows rows, int first)
    {
        try
        {
            return new VideoEntry(rows.Text(first))
            {
                Size = rows.Long(first + 1),
                Modified = new DateTime(rows.Long(first + 2), DateTimeKind.Utc),
                Hash = rows.Text(first + 3),
                Duration = rows.Double(first + 4),
                Splitting = rows.Text(first + 5),
                Problem = rows.TextOrNull(first + 6),
                Tags = JsonSerializer.Deserialize<string[]>(rows.Text(first + 7)) ?? [],
            };
        }
        catch (Exception e) when (e is JsonException or ArgumentOutOfRangeException)
        {
            throw rows.Damaged();
        }
    }

    private static object?[] Values(VideoEntry entry) =>
    [
        entry.Path, entry.Size, entry.Modified.Ticks, entry.Hash, entry.Duration, entry.Splitting, entry.Problem,
        JsonSerializer.Serialize(entry.Tags),
    ];

    private void Forget(ClipCollection collection)
    {
        if (matrices.Remove(collection.Id, out var matrix)) matrix.Dispose();
    }

    private List<IndexedVideo> ReadVideos(string sql, params ReadOnlySpan<object?> values)
    {
        lock (gate)
        {
            var videos = new List<IndexedVideo>();
            using var rows = database.Query(sql, values);
            while (rows.Next()) videos.Add(new IndexedVideo(rows.Long(0), ReadEntry(rows, 1), (int)rows.Long(9)));
            return videos;
        }
    }

    private void NoteChange(ClipCollection collection, long video) =>
        database.Run("INSERT OR REPLACE INTO changes (collection, video) VALUES (?, ?)", collection.Id, video);
}
