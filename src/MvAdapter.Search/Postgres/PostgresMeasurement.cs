using System.Globalization;

namespace MvAdapter.Search;

/// <summary>What <see cref="PostgresBenchmark"/> measured.</summary>
/// <param name="Vectors">How many clips.</param>
/// <param name="Width">Numbers of a vector.</param>
/// <param name="CopyRate">Clips a second, written without an index.</param>
/// <param name="TableBytes">Bytes of the clips' table.</param>
/// <param name="BuildSeconds">Seconds to build the HNSW index.</param>
/// <param name="IndexBytes">Bytes of the index.</param>
/// <param name="AddRate">Clips a second, added to the index.</param>
/// <param name="QueryMedian">The median of a query's seconds.</param>
/// <param name="Query99">The 99th percentile of them.</param>
/// <param name="Recall">The share of the nearest ten that the index finds.</param>
/// <param name="FilteredMedian">The median of a query's seconds where one video in a hundred passes.</param>
/// <param name="FilteredRecall">The share of the nearest ten found then.</param>
/// <param name="ExactMedian">The median of an exact query's seconds.</param>
public sealed record PostgresMeasurement(int Vectors, int Width, double CopyRate, long TableBytes, double BuildSeconds, long IndexBytes,
    double AddRate, double QueryMedian, double Query99, double Recall, double FilteredMedian, double FilteredRecall, double ExactMedian)
{
    /// <summary>A table for people.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
        {Vectors} vectors of {Width}
        copied     {CopyRate,9:0} clips/s without an index; {(double)TableBytes / Vectors:0} bytes a clip
        HNSW       {BuildSeconds,9:0} s to build ({Vectors / BuildSeconds:0} clips/s); {(double)IndexBytes / Vectors:0} bytes a clip
        added      {AddRate,9:0} clips/s into the index, a video of {PostgresBenchmark.ClipsPerVideo} clips a transaction
        query      {QueryMedian * 1000,9:0.0} ms p50, {Query99 * 1000:0.0} ms p99; recall@{PostgresBenchmark.Results} {Recall:0.000}
        filtered   {FilteredMedian * 1000,9:0.0} ms p50 where one video in {PostgresBenchmark.RareEvery} passes; recall@{PostgresBenchmark.Results} {FilteredRecall:0.000}
        exact      {ExactMedian * 1000,9:0.0} ms p50
        """);
}
