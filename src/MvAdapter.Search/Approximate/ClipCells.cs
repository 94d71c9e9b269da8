using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>
/// Where the clips of a collection crowd: centres, learnt from some of its vectors by spherical k-means (Dhillon and Modha 2001). Each clip belongs to the
/// cell of its nearest centre.
/// </summary>
/// <remarks>
/// One graph of ten million clips is easily lost in: between crowds that lie far apart few edges lead from one to another, and a search that enters the wrong
/// one does not come out. In a graph of a million it finds its way, and which graphs to ask first is told by a few dot products.
/// </remarks>
internal sealed class ClipCells
{
    private const int Rounds = 10;
    private readonly float[][] centres;

    private ClipCells(float[][] centres) => this.centres = centres;

    /// <summary>How many there are.</summary>
    public int Count => centres.Length;

    /// <summary>Finds so many centres.</summary>
    /// <param name="sample">Unit vectors, many for each centre.</param>
    /// <param name="count">How many; fewer where there are fewer vectors.</param>
    /// <param name="threads">How many threads work.</param>
    /// <param name="cancellation">Ends it.</param>
    public static ClipCells Learn(IReadOnlyList<float[]> sample, int count, int threads, CancellationToken cancellation)
    {
        var random = new Random(1);
        var cells = new ClipCells([.. Enumerable.Range(0, sample.Count).OrderBy(_ => random.Next()).Take(count).Select(i => (float[])sample[i].Clone())]);
        var nearest = new int[sample.Count];
        for (var round = 0; round < Rounds && cells.Count > 1; round++)
        {
            Parallel.For(0, sample.Count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, i => nearest[i] = cells.Of(sample[i]));
            var sums = cells.centres.Select(centre => new float[centre.Length]).ToArray();
            for (var i = 0; i < nearest.Length; i++) TensorPrimitives.Add(sums[nearest[i]], sample[i], sums[nearest[i]]);
            for (var cell = 0; cell < sums.Length; cell++)
            {
                var length = TensorPrimitives.Norm<float>(sums[cell]);
                if (length > 0) TensorPrimitives.Divide(sums[cell], length, cells.centres[cell]);   // else it stays where it was
            }
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
    public byte[] ToBytes() => [.. centres.SelectMany(centre => MemoryMarshal.AsBytes(centre.AsSpan()).ToArray())];

    /// <summary>The cell of a vector.</summary>
    public int Of(ReadOnlySpan<float> vector)
    {
        var (best, near) = (0, float.NegativeInfinity);
        for (var cell = 0; cell < centres.Length; cell++)
        {
            var score = TensorPrimitives.Dot(vector, centres[cell]);
            if (score > near) (best, near) = (cell, score);
        }
        return best;
    }

    /// <summary>All cells, the nearest to a query first.</summary>
    public int[] By(ReadOnlySpan<float> query)
    {
        var far = new float[centres.Length];
        for (var cell = 0; cell < far.Length; cell++) far[cell] = -TensorPrimitives.Dot(query, centres[cell]);
        int[] order = [.. Enumerable.Range(0, far.Length)];
        Array.Sort(far, order);
        return order;
    }
}
