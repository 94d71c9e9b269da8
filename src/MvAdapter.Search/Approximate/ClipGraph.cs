using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// The clips of a collection as graphs in which each knows some of its nearest (HNSW, arXiv 1603.09320), one for each cell (<see cref="ClipCells"/>), mapped
/// from files: a query looks at some thousands of them. What it finds are candidates, which are scored again by the index's own vectors. The index is the
/// truth; the graphs may lag behind, and may be deleted at any time.
/// </summary>
internal sealed class ClipGraph : IDisposable
{
    private const int LeastExplored = 400;   // recall@10 above 0.95 at a million clips, see docs/performance.md
    private const int Glance = 48;           // explored to see whether a cell has anything
    private const int LeastBarren = 4;       // so many cells in a row that have nothing, or such a part of all, end a search
    private const double ShareBarren = 0.32;
    private const int LeastOfInterest = 10;  // of the best, however few are asked for
    private readonly ClipCells cells;
    private readonly List<Usearch> graphs = [];

    private ClipGraph(ClipGraphNote note, DateTime? written) => (Note, Written, cells) = (note, written, note.Cells()!);

    /// <summary>When its note was written: another is there when that changes.</summary>
    public DateTime? Written { get; }

    /// <summary>What is remembered of it.</summary>
    public ClipGraphNote Note { get; }

    /// <summary>Opens a collection's graphs; null where there are none that can be used.</summary>
    public static ClipGraph? TryOpen(string index, ClipCollection collection)
    {
        var written = ClipGraphNote.Written(index, collection);
        if (!Usearch.IsThere || ClipGraphNote.Read(index, collection) is not { IsWhole: true } note || !note.Fits(index)) return null;
        var opened = new ClipGraph(note, written);
        try
        {
            foreach (var file in note.Files)
            {
                opened.graphs.Add(Usearch.Create(note.Width, ClipGraphBuilder.Connectivity, ClipGraphBuilder.Expansion));
                opened.graphs[^1].View(Path.Combine(ClipGraphNote.Folder(index), file.File));
            }
            return opened;
        }
        catch (MvAdapterException)
        {
            opened.Dispose();
            return null;
        }
    }

    /// <summary>
    /// Clips that are near a query, the nearest first as far as 8 bits tell; some may have gone. Cells are asked by the distance of their centres, until
    /// some in a row have nothing among the best.
    /// </summary>
    /// <param name="query">The query.</param>
    /// <param name="count">How many of the best matter.</param>
    /// <param name="candidates">How many are given.</param>
    /// <param name="allowed">Those that may be among them, a bit each; null for all.</param>
    public IEnumerable<long> Nearest(ReadOnlySpan<float> query, int count, int candidates, ulong[]? allowed)
    {
        var codes = new sbyte[query.Length];
        Quantize(query, codes);
        var found = new List<(long Clip, float Distance)>();
        var mostBarren = Math.Max(LeastBarren, (int)(ShareBarren * cells.Count));
        var (farthest, barren) = (float.PositiveInfinity, 0);   // of the best, once there are so many
        foreach (var cell in cells.By(query))
        {
            if (Note.Files[cell].Clips == 0) continue;
            if ((farthest < float.PositiveInfinity && !Has(Ask(cell, Glance, 1))) || Ask(cell, LeastExplored, candidates) is not { Count: > 0 } some || !Has(some))
            {
                // Where a filter has let too few pass so far, no cell is too far.
                if (farthest < float.PositiveInfinity && ++barren == mostBarren) break;
                continue;
            }
            barren = 0;
            found.AddRange(some);
            found.Sort((a, b) => a.Distance.CompareTo(b.Distance));
            var ofInterest = Math.Max(count, LeastOfInterest);
            if (found.Count >= ofInterest) farthest = found[ofInterest - 1].Distance;
        }
        return found.Take(candidates).Select(near => near.Clip);

        bool Has(List<(long Clip, float Distance)> some) => some.Count > 0 && some[0].Distance < farthest;

        List<(long Clip, float Distance)> Ask(int cell, int explored, int most)
        {
            graphs[cell].Expand(Math.Max(explored, most));
            return graphs[cell].Search(codes, most, allowed);
        }
    }

    /// <summary>A vector's direction in 8 bits a number, the largest being 127.</summary>
    public static void Quantize(ReadOnlySpan<float> vector, Span<sbyte> codes)
    {
        var scale = 127 / Math.Abs(TensorPrimitives.MaxMagnitude(vector));   // a vector of the index has length 1
        for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)MathF.Round(vector[i] * scale);
    }

    /// <inheritdoc/>
    public void Dispose() => graphs.ForEach(graph => graph.Dispose());
}
