using System.Diagnostics;

namespace MvAdapter.Search;

/// <summary>How far a graph is.</summary>
/// <param name="Done">Clips that are in it.</param>
/// <param name="Total">Clips of the collection.</param>
public readonly record struct GraphProgress(long Done, long Total);

/// <summary>
/// Builds the approximate index of a collection in an index file, or brings it up to date. It may be stopped or killed: the next one goes on from
/// what was saved last. The file may be searched and filled meanwhile.
/// </summary>
public sealed class ClipGraphBuilder
{
    /// <summary>Collections of fewer clips are searched exactly: a pass over all of them takes some milliseconds.</summary>
    public const long LeastClips = 200_000;

    internal const int Connectivity = 16;
    internal const int Expansion = 64;

    // So many clips, or such a part of all, are looked at one by one before the graph takes them in.
    private const long MostBeside = 50_000;
    private const double ShareBeside = 0.02;

    // Clips that have gone stay in the graph; where they are such a part of it, it is made anew.
    private const double ShareGone = 0.2;
    private const int PageOfClips = 4096;
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMinutes(10);
    private readonly string index;
    private readonly ClipCollection collection;
    private readonly int threads;

    internal ClipGraphBuilder(string index, ClipCollection collection, int threads) => (this.index, this.collection, this.threads) = (index, collection, threads);

    /// <summary>Whether the library that builds is there for this kind of machine; without it every search is exact.</summary>
    public static bool IsPossible => Usearch.IsThere;

    /// <summary>Whether there is something to build: the collection is large, and its graph is absent, damaged, or lags behind.</summary>
    /// <param name="least">From how many clips on.</param>
    public bool IsDue(long least = LeastClips)
    {
        using var database = SqliteDatabase.Open(index, StoreAccess.Read);
        var clips = Count(database);
        if (!IsPossible || clips < Math.Max(1, least)) return false;
        if (ClipGraphNote.Read(index, collection) is not { IsWhole: true } note || !note.Fits(index)) return true;
        var beside = database.Number("SELECT count(*) FROM changes n JOIN clips c ON c.video = n.video WHERE n.revision > ? AND n.collection = ?", note.Revision, collection.Id) ?? 0;
        return beside > Math.Max(MostBeside, ShareBeside * clips);
    }

    /// <summary>Builds it.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it; what is done is saved.</param>
    /// <returns>Clips that were added.</returns>
    /// <exception cref="MvAdapterException">The library is not there, or a file cannot be written.</exception>
    public long Build(IProgress<GraphProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (!IsPossible) throw new MvAdapterException("the approximate index cannot be built on this kind of machine; every search is exact");
        using var database = SqliteDatabase.Open(index, StoreAccess.Read);
        using var alone = Hold();
        var total = Count(database);
        // What changes from now on is looked at beside the graph, whether it gets into it or not.
        var revision = database.Number("SELECT max(revision) FROM changes") ?? 0;
        var (graph, before) = Begin(total);
        using (graph)
        {
            var (added, last, saved) = (0L, before?.LastClip ?? 0, Stopwatch.StartNew());
            graph.Reserve(total + graph.Count + PageOfClips, threads);
            progress?.Report(new GraphProgress(Math.Min(graph.Count, total), total));
            try
            {
                foreach (var page in before is { IsWhole: true } ? Changed(database, before.Revision) : All(database, last))
                {
                    cancellation.ThrowIfCancellationRequested();
                    Add(graph, page);
                    (added, last) = (added + page.Count, Math.Max(last, page[^1].Clip));
                    progress?.Report(new GraphProgress(Math.Min(graph.Count, total), total));
                    if (saved.Elapsed < SaveEvery) continue;
                    SavePart();
                    saved.Restart();
                }
            }
            catch (OperationCanceledException)
            {
                if (added > 0) SavePart();
                throw;
            }
            Save(graph, revision, last, isWhole: true);
            return added;

            // A graph that was whole stays: what is added to it is soon added again.
            void SavePart()
            {
                if (before is not { IsWhole: true }) Save(graph, revision, last, isWhole: false);
            }
        }
    }

    private void Add(Usearch graph, List<(long Clip, sbyte[] Codes)> page)
    {
        try
        {
            Parallel.For(0, page.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
            {
                if (!graph.Contains(page[i].Clip)) graph.Add(page[i].Clip, page[i].Codes);
            });
        }
        catch (AggregateException e) when (e.InnerException is MvAdapterException first)
        {
            throw new MvAdapterException(first.Message, e);
        }
    }

    private FileStream Hold()
    {
        try
        {
            Directory.CreateDirectory(ClipGraphNote.Folder(index));
            return new FileStream(Path.Combine(ClipGraphNote.Folder(index), $"collection-{collection.Id}.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(ClipGraphNote.Folder(index))}: another process builds here, or the folder cannot be written ({TextForMessage.Quote(e.Message, 120)})", e);
        }
    }

    // What an earlier build has left, a part or a whole, where it is sound and mostly still true.
    private (Usearch Graph, ClipGraphNote? Before) Begin(long total)
    {
        foreach (var note in new[] { ClipGraphNote.Read(index, collection, whole: false), ClipGraphNote.Read(index, collection) })
        {
            if (note?.IsSound(index) != true) continue;
            var graph = Usearch.Create(collection.Model.Width, Connectivity, Expansion);
            graph.Load(note.PathIn(index));
            if (graph.Count <= total * (1 + ShareGone)) return (graph, note);
            graph.Dispose();
        }
        return (Usearch.Create(collection.Model.Width, Connectivity, Expansion), null);
    }

    private long Count(SqliteDatabase database) => database.Number("SELECT count(*) FROM videos v JOIN clips c ON c.video = v.id WHERE v.collection = ?", collection.Id) ?? 0;

    private IEnumerable<List<(long Clip, sbyte[] Codes)>> All(SqliteDatabase database, long after)
    {
        // A page a query: the index's log can be tidied up meanwhile.
        while (true)
        {
            var page = Page(database, "SELECT c.id, c.vector FROM clips c JOIN videos v ON v.id = c.video WHERE c.id > ? AND v.collection = ? ORDER BY c.id LIMIT ?", after, collection.Id, PageOfClips);
            if (page.Count == 0) yield break;
            yield return page;
            after = page[^1].Clip;
        }
    }

    private IEnumerable<List<(long Clip, sbyte[] Codes)>> Changed(SqliteDatabase database, long revision)
    {
        var after = 0L;
        while (true)
        {
            var page = Page(database, """
                SELECT c.id, c.vector FROM changes n CROSS JOIN clips c ON c.video = n.video WHERE n.revision > ? AND n.collection = ? AND c.id > ? ORDER BY c.id LIMIT ?
                """, revision, collection.Id, after, PageOfClips);
            if (page.Count == 0) yield break;
            yield return page;
            after = page[^1].Clip;
        }
    }

    private List<(long Clip, sbyte[] Codes)> Page(SqliteDatabase database, string sql, params ReadOnlySpan<object?> values)
    {
        var page = new List<(long, sbyte[])>(PageOfClips);
        using var rows = database.Query(sql, values);
        while (rows.Next())
        {
            var vector = rows.Floats(1);
            if (ClipVectors.Fault(vector, collection.Model.Width) is { } fault) throw new InvalidFileException(index, $"clip {rows.Long(0)}: {fault}; see \"index verify\"");
            var codes = new sbyte[vector.Length];
            ClipGraph.Quantize(vector, codes);
            page.Add((rows.Long(0), codes));
        }
        return page;
    }

    // Named last, so that there is a whole one at any time; what nobody names any more goes.
    private void Save(Usearch graph, long revision, long lastClip, bool isWhole)
    {
        var folder = ClipGraphNote.Folder(index);
        var name = $"collection-{collection.Id}-{Guid.NewGuid():N}.usearch";
        var path = Path.Combine(folder, name);
        try
        {
            graph.Save(path);
            // The note must not reach the disk before what it names.
            using (var written = new FileStream(path, FileMode.Open)) written.Flush(flushToDisk: true);
            new ClipGraphNote(name, collection.Model.Identity.ToString(), collection.Model.Width, revision, lastClip, isWhole,
                new FileInfo(path).Length, ClipGraphNote.SampleOf(path), ClipGraphNote.HashOf(path)).Write(index, collection);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
        if (isWhole) File.Delete(ClipGraphNote.PathOf(index, collection, whole: false));
        string?[] named = [ClipGraphNote.Read(index, collection)?.File, ClipGraphNote.Read(index, collection, whole: false)?.File];
        foreach (var other in Directory.EnumerateFiles(folder, $"collection-{collection.Id}-*.usearch"))
            if (!named.Contains(Path.GetFileName(other))) File.Delete(other);
    }
}
