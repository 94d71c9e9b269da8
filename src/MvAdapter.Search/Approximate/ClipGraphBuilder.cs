using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>How far the graphs of a collection are.</summary>
/// <param name="Done">Clips that are sorted into cells, and after that those whose cell's graph is built.</param>
/// <param name="Total">Clips of the collection.</param>
/// <param name="IsSorting">Whether they are still being sorted.</param>
public readonly record struct GraphProgress(long Done, long Total, bool IsSorting);

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

    // So many clips, or such a part of all, are looked at one by one before the graphs take them in.
    private const long MostBeside = 50_000;
    private const double ShareBeside = 0.02;

    // Clips that have gone stay in the graphs; where they are such a part of them, or the cells have grown so far, all are made anew.
    private const double ShareGone = 0.2;
    private const double MostGrown = 3;
    private const long ClipsOfACell = 1_000_000;
    private const int MostCells = 256;
    private const int SampleOfACell = 256;
    private const int LeastSample = 20_000;
    private readonly string index;
    private readonly ClipCollection collection;
    private readonly int threads;
    private readonly long clipsOfACell;

    internal ClipGraphBuilder(string index, ClipCollection collection, int threads, long clipsOfACell = ClipsOfACell) =>
        (this.index, this.collection, this.threads, this.clipsOfACell) = (index, collection, threads, clipsOfACell);

    /// <summary>Whether the library that builds is there for this kind of machine; without it every search is exact.</summary>
    public static bool IsPossible => Usearch.IsThere;

    private string Folder => ClipGraphNote.Folder(index);

    /// <summary>Whether there is something to build: the collection is large, and its graph is absent, damaged, or lags behind.</summary>
    /// <param name="least">From how many clips on.</param>
    public bool IsDue(long least = LeastClips)
    {
        using var database = SqliteDatabase.Open(index, StoreAccess.Read);
        var clips = new ClipPages(database, index, collection).Count();
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
        var clips = new ClipPages(database, index, collection);
        var total = clips.Count();
        if (total == 0) return 0;
        // What changes from now on is looked at beside the graphs, whether it gets into them or not.
        var revision = database.Number("SELECT max(revision) FROM changes") ?? 0;
        ClipGraphNote.DeleteUnnamed(index, collection);
        if (ClipGraphNote.Read(index, collection, whole: false) is not { IsWhole: false } part || !part.IsSound(index))
        {
            if (ClipGraphNote.Read(index, collection) is { IsWhole: true } whole && whole.IsSound(index) && !IsOutgrown(whole, total)) return Update(whole, clips, revision, cancellation);
            part = Sort(clips, revision, total, progress, cancellation);
        }
        return Build(part, total, progress, cancellation);
    }

    private bool IsOutgrown(ClipGraphNote note, long total) =>
        note.Clips > total * (1 + ShareGone) || (note.Files.Count < MostCells && total > MostGrown * clipsOfACell * note.Files.Count);

    // Each clip's vector into the file of its cell.
    private ClipGraphNote Sort(ClipPages clips, long revision, long total, IProgress<GraphProgress>? progress, CancellationToken cancellation)
    {
        progress?.Report(new GraphProgress(0, total, IsSorting: true));
        var number = (int)Math.Clamp(total / clipsOfACell, 1, MostCells);
        var cells = ClipCells.Learn(number == 1 ? clips.Some(1, cancellation) : clips.Some(Math.Max(LeastSample, number * SampleOfACell), cancellation), number, threads, cancellation);
        var files = Enumerable.Range(0, Math.Max(1, cells.Count)).Select(_ => ClipGraphFile.Name(collection, ClipGraphFile.Codes)).ToArray();
        var counts = new long[files.Length];
        var writers = files.Select(file => File.Create(Path.Combine(Folder, file))).ToArray();
        try
        {
            var done = 0L;
            foreach (var page in clips.All())
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var (cell, clip) in Assign(cells, page))
                {
                    CodesFile.Write(writers[cell], clip);
                    counts[cell]++;
                }
                progress?.Report(new GraphProgress(done += page.Count, total, IsSorting: true));
            }
        }
        finally
        {
            Array.ForEach(writers, writer => writer.Dispose());
        }
        var note = new ClipGraphNote(collection.Model.Identity.ToString(), collection.Model.Width, revision, IsWhole: false, cells.ToBytes(), [.. files.Zip(counts, (file, count) => ClipGraphFile.Written(Folder, file, count))]);
        note.Write(index, collection);
        return note;
    }

    // A graph of each file of codes, the note saying after each which are there.
    private long Build(ClipGraphNote part, long total, IProgress<GraphProgress>? progress, CancellationToken cancellation)
    {
        var added = 0L;
        for (var cell = 0; cell < part.Files.Count; cell++)
        {
            var before = part.Files.Take(cell).Sum(file => file.Clips);
            progress?.Report(new GraphProgress(Math.Min(before, total), total, IsSorting: false));
            if (part.Files[cell].IsBuilt) continue;
            var codes = part.Files[cell];
            using var graph = Usearch.Create(collection.Model.Width, Connectivity, Expansion);
            graph.Reserve(codes.Clips, threads);
            var done = before;
            foreach (var page in CodesFile.Read(Path.Combine(Folder, codes.File), collection.Model.Width))
            {
                cancellation.ThrowIfCancellationRequested();
                Add(graph, page);
                progress?.Report(new GraphProgress(Math.Min(done += page.Count, total), total, IsSorting: false));
            }
            part = part with { Files = [.. part.Files.Take(cell), Save(graph), .. part.Files.Skip(cell + 1)] };
            part.Write(index, collection);
            File.Delete(Path.Combine(Folder, codes.File));
            added += codes.Clips;
        }
        Finish(part);
        return added;
    }

    private long Update(ClipGraphNote whole, ClipPages clips, long revision, CancellationToken cancellation)
    {
        var cells = whole.Cells()!;
        var fresh = new Dictionary<int, List<(long Clip, sbyte[] Codes)>>();
        foreach (var page in clips.Changed(whole.Revision))
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var (cell, clip) in Assign(cells, page)) (CollectionsMarshal.GetValueRefOrAddDefault(fresh, cell, out _) ??= []).Add(clip);
        }
        var files = whole.Files.ToArray();
        foreach (var (cell, some) in fresh)
        {
            cancellation.ThrowIfCancellationRequested();
            using var graph = Usearch.Create(whole.Width, Connectivity, Expansion);
            graph.Load(Path.Combine(Folder, files[cell].File));
            graph.Reserve(graph.Count + some.Count, threads);
            Add(graph, some);
            files[cell] = Save(graph);
        }
        Finish(whole with { Revision = revision, Files = files });
        return fresh.Values.Sum(some => some.Count);
    }

    private void Add(Usearch graph, List<(long Clip, sbyte[] Codes)> clips)
    {
        try
        {
            Parallel.For(0, clips.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
            {
                if (!graph.Contains(clips[i].Clip)) graph.Add(clips[i].Clip, clips[i].Codes);
            });
        }
        catch (AggregateException e) when (e.InnerException is MvAdapterException first)
        {
            throw new MvAdapterException(first.Message, e);
        }
    }

    private (int Cell, (long Clip, sbyte[] Codes))[] Assign(ClipCells cells, List<(long Clip, float[] Vector)> page)
    {
        var assigned = new (int, (long, sbyte[]))[page.Count];
        Parallel.For(0, page.Count, new ParallelOptions { MaxDegreeOfParallelism = threads }, i =>
        {
            var codes = new sbyte[page[i].Vector.Length];
            ClipGraph.Quantize(page[i].Vector, codes);
            assigned[i] = (cells.Of(page[i].Vector), (page[i].Clip, codes));
        });
        return assigned;
    }

    private FileStream Hold()
    {
        try
        {
            Directory.CreateDirectory(Folder);
            return new FileStream(Path.Combine(Folder, $"collection-{collection.Id}.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(Folder)}: another process builds here, or the folder cannot be written ({TextForMessage.Quote(e.Message, 120)})", e);
        }
    }

    private ClipGraphFile Save(Usearch graph)
    {
        var name = ClipGraphFile.Name(collection, ClipGraphFile.Graph);
        graph.Save(Path.Combine(Folder, name));
        return ClipGraphFile.Written(Folder, name, graph.Count);
    }

    // Named last, so that there is a whole one at any time; what nobody names any more goes.
    private void Finish(ClipGraphNote note)
    {
        (note with { IsWhole = true }).Write(index, collection);
        File.Delete(ClipGraphNote.PathOf(index, collection, whole: false));
        ClipGraphNote.DeleteUnnamed(index, collection);
    }
}
