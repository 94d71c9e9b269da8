namespace MvAdapter.Search;

/// <summary>How far the approximate index of a collection is.</summary>
/// <param name="Done">Clips that are in it; while cells are learnt, as many as that part of the work stands for.</param>
/// <param name="Total">Clips of the collection.</param>
/// <param name="IsLearning">Whether the cells are still being learnt from some of the clips.</param>
public readonly record struct ApproximateIndexProgress(long Done, long Total, bool IsLearning);

/// <summary>
/// Builds the approximate index of a collection in an index file, or brings it up to date. It may be stopped or killed: the next one goes on from
/// what was saved last. The file may be searched and filled meanwhile.
/// </summary>
public sealed class ApproximateIndexBuilder
{
    /// <summary>Collections of fewer clips are searched exactly: a pass over all of them takes some milliseconds.</summary>
    public const long LeastClips = 200_000;

    // So many clips, or such a part of all, are looked at one by one before the files take them in.
    private const long MostBeside = 50_000;
    private const double ShareBeside = 0.02;

    // Clips that have gone stay in the files; where they are such a part of them, or so many more cells would be made now, all is made anew.
    private const double ShareGone = 0.2;
    private const double MostGrown = 2;
    private const double CellsOfRoot = 4;    // for each square root of the clips
    private const int MostCells = 1 << 15;
    private const int SampleOfACell = 32;
    private const int ClipsOfAFile = 1 << 20;   // half a gigabyte at 512 numbers, which is in memory while it is filled
    private const int MostSmallFiles = 8;
    private readonly string index;
    private readonly ClipCollection collection;
    private readonly int threads, clipsOfAFile;

    internal ApproximateIndexBuilder(string index, ClipCollection collection, int threads, int clipsOfAFile = ClipsOfAFile) =>
        (this.index, this.collection, this.threads, this.clipsOfAFile) = (index, collection, threads, clipsOfAFile);

    private string Folder => ApproximateIndexNote.Folder(index);

    /// <summary>Whether there is something to build: the collection is large, and its approximate index is absent, damaged, or lags behind.</summary>
    /// <param name="least">From how many clips on.</param>
    /// <param name="thorough">Whether its files are read to the last byte to see whether they are damaged.</param>
    public bool IsDue(long least = LeastClips, bool thorough = false)
    {
        using var database = SqliteDatabase.Open(index, StoreAccess.Read);
        var clips = new ClipPages(database, index, collection).Count();
        if (clips < Math.Max(1, least)) return false;
        if (ApproximateIndexNote.Read(index, collection) is not { } note || !(thorough ? note.IsSound(index) : note.Fits(index))) return true;
        var beside = database.Number("SELECT count(*) FROM changes n JOIN clips c ON c.video = n.video WHERE n.revision > ? AND n.collection = ?", note.Revision, collection.Id) ?? 0;
        return beside > Math.Max(MostBeside, ShareBeside * clips);
    }

    /// <summary>Builds it.</summary>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it; what is done is saved.</param>
    /// <returns>Clips that were added.</returns>
    /// <exception cref="MvAdapterException">A file cannot be written, or a vector of the index is damaged.</exception>
    public long Build(IProgress<ApproximateIndexProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var database = SqliteDatabase.Open(index, StoreAccess.Read);
        using var alone = Hold();
        var clips = new ClipPages(database, index, collection);
        var total = clips.Count();
        if (total == 0) return 0;
        // What changes from now on is looked at beside it, whether it gets into it or not.
        var revision = database.Number("SELECT max(revision) FROM changes") ?? 0;
        ApproximateIndexNote.DeleteUnnamed(index, collection);
        ApproximateIndexNote.DeleteGraphs(index, collection);
        if (ApproximateIndexNote.Read(index, collection, whole: false) is not { } part || !part.IsSound(index))
        {
            part = ApproximateIndexNote.Read(index, collection) is { } whole && whole.IsSound(index) && !IsOutgrown(whole, total)
                ? whole with { Revision = revision, IsWhole = false } : Learn(clips, revision, total, progress, cancellation);
        }
        return Fill(part, clips, total, progress, cancellation);
    }

    private static int CellsFor(long clips) => (int)Math.Clamp(CellsOfRoot * Math.Sqrt(clips), 1, MostCells);

    private static bool IsOutgrown(ApproximateIndexNote note, long total) =>
        note.Clips > total * (1 + ShareGone) || CellsFor(total) > MostGrown * note.Centres.Size / (sizeof(float) * note.Width);

    private ApproximateIndexNote Learn(ClipPages clips, long revision, long total, IProgress<ApproximateIndexProgress>? progress, CancellationToken cancellation)
    {
        progress?.Report(new ApproximateIndexProgress(0, total, IsLearning: true));
        var (count, width) = (CellsFor(total), collection.Model.Width);
        var sample = clips.Some(count * SampleOfACell, cancellation).Select(vector => new QuantizedQuery(vector, QuantizedMatrix.StrideOf(width))).ToList();
        using var cells = ClipCells.Learn(sample, width, count, threads, done => progress?.Report(new ApproximateIndexProgress((long)(done * total), total, IsLearning: true)), cancellation);
        var note = new ApproximateIndexNote(collection.Model.Identity.ToString(), width, revision, Write(".centres", 0, path => File.WriteAllBytes(path, cells.ToBytes())), []);
        note.Write(index, collection);
        return note;
    }

    // All clips that are not in yet, which have greater numbers than those that are; the note says after each file how many are in.
    private long Fill(ApproximateIndexNote part, ClipPages clips, long total, IProgress<ApproximateIndexProgress>? progress, CancellationToken cancellation)
    {
        using var cells = part.Cells(index) ?? throw new InvalidFileException(part.Centres.File, "holds no centres");
        using var fresh = new Pending(this, cells);
        var (before, added) = (part.Clips, 0L);
        foreach (var page in clips.After(part.Last))
        {
            fresh.Add(page, cancellation);
            added += page.Count;
            part = part with { Last = page[^1].Clip };
            progress?.Report(new ApproximateIndexProgress(Math.Min(before + added, total), total, IsLearning: false));
            if (fresh.Count < clipsOfAFile) continue;
            part = part with { Files = [.. part.Files, fresh.Save()] };
            part.Write(index, collection);
        }
        Finish(part with { Files = Close(part.Files, fresh, cells.Count, cancellation), IsWhole = true });
        return added;
    }

    // The last clips into a file of their own; where there are many small ones, into one with them.
    private List<ApproximateIndexFile> Close(IReadOnlyList<ApproximateIndexFile> before, Pending fresh, int cells, CancellationToken cancellation)
    {
        var files = before.ToList();
        if (before.Where(file => file.Clips < clipsOfAFile / 2).ToList() is { Count: >= MostSmallFiles } small)
        {
            foreach (var file in small)
            {
                using var old = Open(file, cells);
                fresh.Add(old, cancellation);
                files.Remove(file);
                if (fresh.Count >= clipsOfAFile) files.Add(fresh.Save());
            }
        }
        if (fresh.Count > 0) files.Add(fresh.Save());
        return files;
    }

    private CellsFile Open(ApproximateIndexFile file, int cells) =>
        CellsFile.TryOpen(Path.Combine(Folder, file.File), QuantizedMatrix.StrideOf(collection.Model.Width), cells) ?? throw new InvalidFileException(file.File, "holds no cells");

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

    private ApproximateIndexFile Write(string ending, long clips, Action<string> write)
    {
        var name = ApproximateIndexFile.Name(collection, ending);
        try
        {
            write(Path.Combine(Folder, name));
            return ApproximateIndexFile.Written(Folder, name, clips);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(Folder)}: cannot be written ({TextForMessage.Quote(e.Message, 120)})", e);
        }
    }

    // Named last, so that there is a whole one at any time; what nobody names any more goes.
    private void Finish(ApproximateIndexNote note)
    {
        note.Write(index, collection);
        File.Delete(ApproximateIndexNote.PathOf(index, collection, whole: false));
        ApproximateIndexNote.DeleteUnnamed(index, collection);
    }

    /// <summary>Clips on their way into a file.</summary>
    private sealed class Pending(ApproximateIndexBuilder builder, ClipCells cells) : IDisposable
    {
        private readonly List<(long Clip, int Cell)> clips = [];
        private readonly QuantizedMatrix rows = new(builder.collection.Model.Width);

        public int Count => clips.Count;

        public void Add(List<(long Clip, float[] Vector)> page, CancellationToken cancellation)
        {
            var queries = new QuantizedQuery[page.Count];
            Parallel.For(0, page.Count, new ParallelOptions { MaxDegreeOfParallelism = builder.threads, CancellationToken = cancellation }, i => queries[i] = new QuantizedQuery(page[i].Vector, rows.Stride));
            foreach (var ((clip, vector), cell) in page.Zip(cells.Of(queries, builder.threads, cancellation)))
            {
                rows.Set(rows.Count, vector);
                clips.Add((clip, cell));
            }
        }

        public unsafe void Add(CellsFile file, CancellationToken cancellation)
        {
            for (var cell = 0; cell < cells.Count; cell++)
            {
                cancellation.ThrowIfCancellationRequested();
                var some = file[cell];
                for (var i = 0; i < some.Count; i++)
                {
                    rows.Add(new ReadOnlySpan<sbyte>(some.Codes + (long)i * rows.Stride, rows.Stride), some.Scales[i]);
                    clips.Add((some.Clips[i], cell));
                }
            }
        }

        public ApproximateIndexFile Save()
        {
            var file = builder.Write(CellsFile.Ending, clips.Count, path => CellsFile.Write(path, cells.Count, clips, rows));
            clips.Clear();
            rows.Dispose();   // it can be filled again
            return file;
        }

        public void Dispose() => rows.Dispose();
    }
}
