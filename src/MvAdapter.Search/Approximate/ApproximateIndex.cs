namespace MvAdapter.Search;

/// <summary>
/// The clips of a collection by cells (<see cref="ClipCells"/>), mapped from files: a query looks at all clips of the cells nearest to it, in 8 bits a number
/// (an inverted file, Sivic and Zisserman 2003). What it finds are candidates, which are scored again by the index's own vectors. The index is the truth;
/// this may lag behind, and may be deleted at any time.
/// </summary>
internal sealed class ApproximateIndex : IDisposable
{
    private const int Probes = 64;           // cells of the usual size that are looked at; recall and times are in docs/performance.md
    private const int LeastLooked = 20_000;  // clips at least: in less than a millisecond
    private readonly ClipCells cells;
    private readonly int stride;             // bytes of a row
    private readonly List<CellsFile> files = [];
    private readonly long[] sizes;           // clips of a cell

    private ApproximateIndex(ApproximateIndexNote note, DateTime? written, ClipCells cells) =>
        (Note, Written, this.cells, stride, sizes) = (note, written, cells, QuantizedMatrix.StrideOf(note.Width), new long[cells.Count]);

    /// <summary>When its note was written: another is there when that changes.</summary>
    public DateTime? Written { get; }

    /// <summary>What is remembered of it.</summary>
    public ApproximateIndexNote Note { get; }

    /// <summary>Opens a collection's; null where there is none that can be used.</summary>
    public static ApproximateIndex? TryOpen(string index, ClipCollection collection)
    {
        var written = ApproximateIndexNote.WhenWritten(index, collection);
        if (ApproximateIndexNote.Read(index, collection) is not { } note || !note.Fits(index) || note.Cells(index) is not { } cells) return null;
        var opened = new ApproximateIndex(note, written, cells);
        foreach (var file in note.Files)
        {
            if (CellsFile.TryOpen(Path.Combine(ApproximateIndexNote.Folder(index), file.File), opened.stride, cells.Count) is not { } part)
            {
                opened.Dispose();
                return null;
            }
            opened.files.Add(part);
            for (var cell = 0; cell < cells.Count; cell++) opened.sizes[cell] += part.CountOf(cell);
        }
        return opened;
    }

    /// <summary>Clips that are near a query, the nearest first as far as 8 bits tell; some may have gone.</summary>
    /// <param name="vector">The query.</param>
    /// <param name="candidates">How many are wanted.</param>
    /// <param name="passing">Those that may be among them; null for all.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="least">How many clips are looked at, at least.</param>
    /// <returns>Their numbers, and how many clips were looked at to find them.</returns>
    public (IEnumerable<long> Clips, long Looked) Nearest(ReadOnlySpan<float> vector, int candidates, PassingClips? passing, CancellationToken cancellation, long least = LeastLooked)
    {
        var query = new QuantizedQuery(vector, stride);
        // Among few the nearest are farther away.
        var share = passing is null ? 1 : Math.Max(1, Math.Sqrt((double)Note.Clips / Math.Max(1, passing.Count)));
        var wanted = share * Math.Max(least, (double)Probes * Note.Clips / cells.Count);
        var nearest = new NearestClips(candidates);
        var order = cells.By(query, 2 * Probes);
        var looked = 0L;
        for (var next = 0; next < cells.Count && (looked < wanted || !nearest.IsFull);)
        {
            if (next == order.Length) order = [.. order, .. cells.By(query, cells.Count).Except(order)];   // of equally near ones others may be first
            var first = next;
            while (next < order.Length && (looked < wanted || next == first)) looked += sizes[order[next++]];
            Look(order[first..next], query, nearest, passing, cancellation);
            if (looked >= wanted && !nearest.IsFull) wanted *= 2;
        }
        return (nearest.InOrder(), looked);
    }

    public void Dispose()
    {
        files.ForEach(file => file.Dispose());
        cells.Dispose();
    }

    // On all processors.
    private void Look(int[] some, QuantizedQuery query, NearestClips nearest, PassingClips? passing, CancellationToken cancellation)
    {
        var begin = new NearestClips(nearest);   // while others add to the nearest, nobody may look at them
        Parallel.ForEach(some, new ParallelOptions { CancellationToken = cancellation }, () => new NearestClips(begin), (cell, _, mine) =>
        {
            foreach (var file in files) Look(file[cell], query, mine, passing);
            return mine;
        }, mine =>
        {
            lock (nearest) nearest.Add(mine);
        });
    }

    private unsafe void Look(CellsFile.Cell cell, QuantizedQuery query, NearestClips nearest, PassingClips? passing)
    {
        Span<float> scores = stackalloc float[QuantizedMatrix.RowsPerStrip];
        for (var first = 0; first < cell.Count; first += scores.Length)
        {
            var some = scores[..Math.Min(scores.Length, cell.Count - first)];
            QuantizedMatrix.Score(cell.Codes + (long)first * stride, cell.Scales.Slice(first, some.Length), stride, query, some);
            nearest.Add(cell.Clips.Slice(first, some.Length), some, passing);
        }
    }
}
