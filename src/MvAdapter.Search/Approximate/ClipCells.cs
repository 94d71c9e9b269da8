using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>
/// Where the clips of a collection crowd: centres, learnt from some of its vectors by spherical k-means (Dhillon and Modha 2001), which begins at vectors
/// far from one another (k-means++, Arthur and Vassilvitskii 2007, some hundred at a time as in Bahmani et al. 2012). Each clip belongs to the cell of its
/// nearest centre, or of one hardly farther away: where there are many centres, these have cells themselves, and the nearest few of them are looked at.
/// </summary>
internal sealed class ClipCells : IDisposable
{
    private const int Rounds = 4;
    private const int SeedBatches = 16;
    private const int VectorsAtOnce = 256;   // that a strip of centres meets while it is in the processor's cache
    private const int ManyStrips = 16;       // which are scored on all processors
    private const int FewCells = 256;        // of which all are looked at
    private const int NearGroups = 8;        // else, the centres of so many groups of them
    private readonly float[][] centres;
    private readonly QuantizedMatrix quantized;
    private CellGroups? groups;

    private ClipCells(float[][] centres)
    {
        (this.centres, quantized) = (centres, new QuantizedMatrix(centres[0].Length));
        for (var cell = 0; cell < centres.Length; cell++) quantized.Set(cell, centres[cell]);
    }

    /// <summary>How many there are.</summary>
    public int Count => centres.Length;

    /// <summary>Finds so many centres.</summary>
    /// <param name="sample">Unit vectors, some dozens for each centre.</param>
    /// <param name="width">Numbers of a vector.</param>
    /// <param name="count">How many; fewer where there are fewer vectors.</param>
    /// <param name="threads">How many threads work.</param>
    /// <param name="progress">Told which part of the work is done, from 0 to 1.</param>
    /// <param name="cancellation">Ends it.</param>
    public static ClipCells Learn(IReadOnlyList<QuantizedQuery> sample, int width, int count, int threads, Action<double>? progress, CancellationToken cancellation)
    {
        const double passes = Rounds + 1;   // seeding takes about as long as a round
        var cells = new ClipCells(Seeds(sample, width, Math.Min(count, sample.Count), threads, part => progress?.Invoke(part / passes), cancellation));
        for (var round = 1; round <= Rounds && cells.Count > 1; round++)
        {
            var nearest = cells.Nearest(sample, threads, cancellation);
            var means = cells.Means(sample, nearest);
            cells.Dispose();
            cells = new ClipCells(means);
            progress?.Invoke((1 + round) / passes);
        }
        return cells;
    }

    /// <summary>Reads what <see cref="ToBytes"/> wrote; null where it is none of this width.</summary>
    public static ClipCells? FromBytes(byte[] bytes, int width)
    {
        if (bytes.Length == 0 || bytes.Length % (width * sizeof(float)) != 0) return null;
        var values = MemoryMarshal.Cast<byte, float>(bytes).ToArray();
        return new ClipCells([.. values.Chunk(width)]);
    }

    /// <summary>The centres, one after the other, float32 in this machine's order.</summary>
    public byte[] ToBytes()
    {
        var values = new float[centres.Length * quantized.Width];
        for (var cell = 0; cell < centres.Length; cell++) centres[cell].CopyTo(values, cell * quantized.Width);
        return MemoryMarshal.AsBytes(values.AsSpan()).ToArray();
    }

    /// <summary>The cell of each of some vectors.</summary>
    public int[] Of(IReadOnlyList<QuantizedQuery> vectors, int threads, CancellationToken cancellation) =>
        [.. Nearest(vectors, threads, cancellation).Select(near => near.Cell)];

    /// <summary>So many cells, or all, the nearest to a query first.</summary>
    public int[] By(QuantizedQuery query, int most)
    {
        var scores = new float[centres.Length];
        void Score(int strip) => quantized.Score(strip, query, scores.AsSpan(strip * QuantizedMatrix.RowsPerStrip, quantized.RowsOf(strip)));
        if (quantized.Strips > ManyStrips) Parallel.For(0, quantized.Strips, Score);
        else for (var strip = 0; strip < quantized.Strips; strip++) Score(strip);
        var best = new PriorityQueue<int, float>(Math.Min(most, centres.Length));   // the worst of them first
        for (var cell = 0; cell < scores.Length; cell++)
        {
            if (best.Count < most) best.Enqueue(cell, scores[cell]);
            else if (scores[cell] > scores[best.Peek()]) best.EnqueueDequeue(cell, scores[cell]);
        }
        var order = new int[best.Count];
        for (var i = order.Length - 1; i >= 0; i--) order[i] = best.Dequeue();
        return order;
    }

    public void Dispose()
    {
        quantized.Dispose();
        groups?.Dispose();
    }

    // Of the vectors far from all centres so far, more; so that no crowd goes without one.
    private static float[][] Seeds(IReadOnlyList<QuantizedQuery> sample, int width, int count, int threads, Action<double> progress, CancellationToken cancellation)
    {
        var random = new Random(1);
        var far = new double[sample.Count];
        Array.Fill(far, 1);
        var chosen = new List<float[]>();
        for (var batch = 1; batch <= SeedBatches && chosen.Count < count; batch++)
        {
            var fresh = Draw(far, Math.Max(1, (int)((long)count * batch / SeedBatches) - chosen.Count), random).Select(i => sample[i].ToVector(width)).ToArray();
            chosen.AddRange(fresh);
            using var cells = new ClipCells(fresh);
            var nearest = cells.Nearest(sample, threads, cancellation);
            // |x - y|² = 2 (1 - x·y).
            for (var i = 0; i < far.Length; i++) far[i] = Math.Min(far[i], Math.Max(0, 1 - nearest[i].Score));
            progress((double)batch / SeedBatches);
        }
        return [.. chosen];
    }

    // Some different places, each the likelier the greater its weight.
    private static IEnumerable<int> Draw(double[] weights, int count, Random random)
    {
        var sums = new double[weights.Length];
        for (var i = 0; i < sums.Length; i++) sums[i] = weights[i] + (i > 0 ? sums[i - 1] : 0);
        if (!(sums[^1] > 0)) return Enumerable.Range(0, count);   // all are the same vectors
        var drawn = new HashSet<int>();
        for (var tries = 0; drawn.Count < count && tries < 100 * count; tries++)
        {
            var place = Array.BinarySearch(sums, random.NextDouble() * sums[^1]);
            drawn.Add(Math.Min(place < 0 ? ~place : place, sums.Length - 1));
        }
        return drawn;
    }

    private float[][] Means(IReadOnlyList<QuantizedQuery> sample, (int Cell, float Score)[] nearest)
    {
        var sums = centres.Select(centre => new float[centre.Length]).ToArray();
        for (var i = 0; i < sample.Count; i++)
        {
            var sum = sums[nearest[i].Cell];
            TensorPrimitives.Add(sum, sample[i].ToVector(sum.Length), sum);
        }
        for (var cell = 0; cell < sums.Length; cell++)
        {
            var length = TensorPrimitives.Norm<float>(sums[cell]);
            if (length > 0) TensorPrimitives.Divide(sums[cell], length, sums[cell]);
            else sums[cell] = centres[cell];   // it stays where it was
        }
        return sums;
    }

    private (int Cell, float Score)[] Nearest(IReadOnlyList<QuantizedQuery> vectors, int threads, CancellationToken cancellation)
    {
        var nearest = new (int Cell, float Score)[vectors.Count];
        if (Count > FewCells) groups ??= new CellGroups(centres, threads, cancellation);
        Parallel.For(0, (vectors.Count + VectorsAtOnce - 1) / VectorsAtOnce, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, part =>
        {
            var (first, end) = (part * VectorsAtOnce, Math.Min(vectors.Count, (part + 1) * VectorsAtOnce));
            if (groups is null) NearestOfAll(vectors, nearest, first, end);
            else for (var i = first; i < end; i++) nearest[i] = groups.Nearest(vectors[i]);
        });
        return nearest;
    }

    private void NearestOfAll(IReadOnlyList<QuantizedQuery> vectors, (int Cell, float Score)[] nearest, int first, int end)
    {
        Span<float> scores = stackalloc float[QuantizedMatrix.RowsPerStrip];
        for (var strip = 0; strip < quantized.Strips; strip++)
        {
            var some = scores[..quantized.RowsOf(strip)];
            for (var i = first; i < end; i++)
            {
                quantized.Score(strip, vectors[i], some);
                var best = TensorPrimitives.IndexOfMax<float>(some);
                if (strip == 0 || some[best] > nearest[i].Score) nearest[i] = (strip * QuantizedMatrix.RowsPerStrip + best, some[best]);
            }
        }
    }

    /// <summary>Centres by the cells of their own.</summary>
    private sealed class CellGroups : IDisposable
    {
        private readonly ClipCells groups;
        private readonly (List<int> Cells, QuantizedMatrix Centres)[] members;

        public CellGroups(float[][] centres, int threads, CancellationToken cancellation)
        {
            var width = centres[0].Length;
            var vectors = Array.ConvertAll(centres, centre => new QuantizedQuery(centre, QuantizedMatrix.StrideOf(width)));
            groups = Learn(vectors, width, (int)Math.Sqrt(centres.Length), threads, null, cancellation);
            members = [.. Enumerable.Range(0, groups.Count).Select(_ => (new List<int>(), new QuantizedMatrix(width)))];
            foreach (var (cell, group) in groups.Of(vectors, threads, cancellation).Index())
            {
                members[group].Cells.Add(cell);
                members[group].Centres.Set(members[group].Centres.Count, centres[cell]);
            }
        }

        public (int Cell, float Score) Nearest(QuantizedQuery vector)
        {
            var best = (Cell: 0, Score: float.NegativeInfinity);
            Span<float> scores = stackalloc float[QuantizedMatrix.RowsPerStrip];
            foreach (var group in groups.By(vector, NearGroups))
            {
                var (cells, centres) = members[group];
                for (var strip = 0; strip < centres.Strips; strip++)
                {
                    var some = scores[..centres.RowsOf(strip)];
                    centres.Score(strip, vector, some);
                    var near = TensorPrimitives.IndexOfMax<float>(some);
                    if (some[near] > best.Score) best = (cells[strip * QuantizedMatrix.RowsPerStrip + near], some[near]);
                }
            }
            return best;
        }

        public void Dispose()
        {
            groups.Dispose();
            foreach (var (_, centres) in members) centres.Dispose();
        }
    }
}
