using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// A collection in memory: its vectors quantised, and what filters ask of its videos. Follows what is committed to the file.
/// </summary>
/// <param name="collection">The collection.</param>
/// <param name="database">The file.</param>
/// <param name="after">The revision after which changes count; 0 for all.</param>
internal sealed class ClipMatrix(ClipCollection collection, SqliteDatabase database, long after = 0) : IDisposable
{
    private const int LoadsBetweenLooks = 4096;
    private readonly QuantizedMatrix vectors = new(collection.Model.Width);
    private readonly Dictionary<long, Video> videos = [];
    private readonly List<(long Clip, Video? Video)> rows = [];
    private readonly Stack<int> freeRows = [];
    private long? seen;   // the last revision that was taken over

    private long Seen => seen ?? after;

    /// <summary>Takes over what has been committed since the last time; within a transaction.</summary>
    public void Refresh(CancellationToken cancellation)
    {
        var latest = database.Number("SELECT max(revision) FROM changes") ?? 0;
        if (latest == Seen) return;
        try
        {
            RefreshVideos();
            RefreshClips(cancellation);
        }
        catch
        {
            // Half of a change must not stay.
            Forget();
            throw;
        }
        seen = latest;
    }

    /// <summary>The nearest clips to each query; exact.</summary>
    public IReadOnlyList<IReadOnlyList<ClipMatch>> Search(
        ClipVectors queries, int count, ClipFilter? filter, CancellationToken cancellation)
    {
        if (filter is not null)
            foreach (var video in videos.Values) video.Allowed = filter.Allows(video.Entry);
        var quantized = Enumerable.Range(0, queries.Count).Select(i => new QuantizedQuery(queries[i].Span, vectors.Stride)).ToArray();
        var candidates = NearestRows.Find(vectors, quantized, count,
            row => rows[row].Video is { } video && (filter is null || video.Allowed), cancellation);
        return [.. candidates.Select((found, i) => Rescore(queries[i].Span, found, count))];
    }

    public void Dispose() => vectors.Dispose();

    // From the most that it can score downwards: the rest is no better once the last of the best exceeds that.
    private List<ClipMatch> Rescore(ReadOnlySpan<float> query, (int Row, float Upper)[] candidates, int count)
    {
        var best = new SortedSet<ClipMatch>(Comparer<ClipMatch>.Create((a, b) =>
            a.Score != b.Score ? b.Score.CompareTo(a.Score) : a.Clip.Id.CompareTo(b.Clip.Id)));
        foreach (var (row, upper) in candidates)
        {
            if (best.Count == count && upper < best.Max!.Score) break;
            var (id, video) = rows[row];
            using var stored = database.Query("SELECT start, \"end\", vector FROM clips WHERE id = ?", id);
            if (!stored.Next() || stored.Floats(2).Length != query.Length) throw stored.Damaged();
            var clip = new IndexedClip(id, video!.Entry.Path, new ClipSpan(stored.Double(0), stored.Double(1)));
            best.Add(new ClipMatch(clip, TensorPrimitives.Dot(query, stored.Floats(2))));
            if (best.Count > count) best.Remove(best.Max!);
        }
        return [.. best];
    }

    private void RefreshVideos()
    {
        using var changed = database.Query("""
            SELECT n.video, v.path, v.size, v.modified, v.hash, v.duration, v.splitting, v.problem, v.tags
            FROM changes n LEFT JOIN videos v ON v.id = n.video WHERE n.revision > ? AND n.collection = ?
            """, Seen, collection.Id);
        while (changed.Next())
        {
            if (videos.Remove(changed.Long(0), out var old)) Remove(old);
            if (!changed.IsNull(1)) videos.Add(changed.Long(0), new Video(SqliteStore.ReadEntry(changed, 1)));
        }
    }

    private void RefreshClips(CancellationToken cancellation)
    {
        using var clips = database.Query("""
            SELECT c.id, c.video, c.vector FROM changes n CROSS JOIN clips c ON c.video = n.video
            WHERE n.revision > ? AND n.collection = ? ORDER BY n.revision
            """, Seen, collection.Id);
        for (var loaded = 1; clips.Next(); loaded++)
        {
            if (loaded % LoadsBetweenLooks == 0) cancellation.ThrowIfCancellationRequested();
            var vector = clips.Floats(2);
            if (ClipVectors.Fault(vector, collection.Model.Width) is { } fault)
                throw new InvalidFileException(database.Path, $"clip {clips.Long(0)}: {fault}; see \"index verify\"");
            if (!videos.TryGetValue(clips.Long(1), out var video)) throw clips.Damaged();
            Add(clips.Long(0), video, vector);
        }
    }

    private void Add(long clip, Video video, ReadOnlySpan<float> vector)
    {
        if (!freeRows.TryPop(out var row))
        {
            row = rows.Count;
            rows.Add(default);
        }
        rows[row] = (clip, video);
        video.Rows.Add(row);
        vectors.Set(row, vector);
    }

    private void Remove(Video video)
    {
        foreach (var row in video.Rows)
        {
            rows[row] = default;
            freeRows.Push(row);
        }
    }

    private void Forget()
    {
        seen = null;
        videos.Clear();
        rows.Clear();
        freeRows.Clear();
        vectors.Dispose();
    }

    private sealed class Video(VideoEntry entry)
    {
        public VideoEntry Entry => entry;

        public List<int> Rows { get; } = new(1);

        /// <summary>Whether the filter of the search at hand lets it pass.</summary>
        public bool Allowed { get; set; }
    }
}
