using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>The rows of a matrix that may be among the nearest to a query, found by its bounds, on all processors.</summary>
internal sealed class NearestRows
{
    private readonly int count;
    private readonly PriorityQueue<float, float> lowerBounds = new();
    private readonly List<(int Row, float Upper)> candidates = [];

    private NearestRows(int count) => this.count = count;

    /// <summary>The rows surely include the best; each with the most that its exact score can be.</summary>
    private IEnumerable<(int Row, float Upper)> Rows => candidates.Where(candidate => candidate.Upper >= Threshold);

    // What the last of the nearest scores at least; a row that cannot reach it is none of them.
    private float Threshold => lowerBounds.Count == count ? lowerBounds.Peek() : float.NegativeInfinity;

    /// <summary>For each query the candidates, in the order of the most that they can score.</summary>
    /// <param name="matrix">The rows.</param>
    /// <param name="queries">The queries.</param>
    /// <param name="count">How many of the nearest are wanted.</param>
    /// <param name="allowed">Which rows count.</param>
    /// <param name="cancellation">Ends the search.</param>
    public static IReadOnlyList<(int Row, float Upper)[]> Find(
        QuantizedMatrix matrix, IReadOnlyList<QuantizedQuery> queries, int count, Func<int, bool> allowed, CancellationToken cancellation)
    {
        var next = -1;
        var workers = new NearestRows[Math.Clamp(matrix.Strips, 1, Environment.ProcessorCount)][];
        Parallel.For(0, workers.Length, worker =>
        {
            var mine = workers[worker] = [.. queries.Select(_ => new NearestRows(count))];
            Span<float> scores = stackalloc float[QuantizedMatrix.RowsPerStrip], margins = stackalloc float[QuantizedMatrix.RowsPerStrip];
            for (int strip; (strip = Interlocked.Increment(ref next)) < matrix.Strips && !cancellation.IsCancellationRequested;)
            {
                var rows = matrix.RowsOf(strip);
                for (var q = 0; q < queries.Count; q++)
                {
                    matrix.Score(strip, queries[q], scores[..rows], margins[..rows]);
                    mine[q].Add(strip * QuantizedMatrix.RowsPerStrip, scores[..rows], margins[..rows], allowed);
                }
            }
        });
        cancellation.ThrowIfCancellationRequested();
        return [.. Enumerable.Range(0, queries.Count).Select(q => Merge(workers.Select(worker => worker[q]), count))];
    }

    private static (int Row, float Upper)[] Merge(IEnumerable<NearestRows> parts, int count)
    {
        var all = new NearestRows(count);
        foreach (var part in parts)
        {
            foreach (var (bound, _) in part.lowerBounds.UnorderedItems) all.AddLowerBound(bound);
            all.candidates.AddRange(part.candidates);
        }
        return [.. all.Rows.OrderByDescending(candidate => candidate.Upper)];
    }

    private void Add(int first, Span<float> scores, Span<float> margins, Func<int, bool> allowed)
    {
        // Most strips hold nothing that comes near, and one quick look tells.
        Span<float> uppers = stackalloc float[scores.Length];
        TensorPrimitives.Add(scores, margins, uppers);
        if (!(TensorPrimitives.Max(uppers) >= Threshold)) return;
        for (var i = 0; i < uppers.Length; i++)
        {
            if (!(uppers[i] >= Threshold) || !allowed(first + i)) continue;
            candidates.Add((first + i, uppers[i]));
            AddLowerBound(scores[i] - margins[i]);
        }
    }

    private void AddLowerBound(float bound)
    {
        if (lowerBounds.Count < count) lowerBounds.Enqueue(bound, bound);
        else lowerBounds.EnqueueDequeue(bound, bound);
    }
}
