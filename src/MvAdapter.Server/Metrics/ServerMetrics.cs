using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace MvAdapter.Server;

/// <summary>
/// What the server has done so far, as instruments of .NET's own, which Prometheus reads at <c>/metrics</c>, an OTLP collector is sent, and
/// dotnet-counters shows.
/// </summary>
internal sealed class ServerMetrics : IDisposable
{
    /// <summary>The name of the source of traces, and of the meter.</summary>
    public const string Name = "MvAdapter.Server";

    private static int servers;

    /// <summary>The parts of a search, for those who trace.</summary>
    public static readonly ActivitySource Traces = new(Name);

    // Readers find meters by their names: a second server of a process has another, so that each tells its own numbers alone.
    private readonly Meter meter = new(Interlocked.Increment(ref servers) is > 1 and var number ? $"{Name}.{number}" : Name);
    private readonly Counter<long> requests;
    private readonly Counter<long> partial;
    private readonly Histogram<double> latencies;
    private readonly Histogram<int> encodeBatches;
    private readonly Histogram<int> findBatches;

    public ServerMetrics()
    {
        var seconds = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] };
        var sizes = new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64] };
        requests = meter.CreateCounter<long>("mvadapter.requests", description: "Requests answered.");
        partial = meter.CreateCounter<long>("mvadapter.partial_answers", description: "Searches that a server of the index did not answer.");
        latencies = meter.CreateHistogram("mvadapter.request", "s", "Time from a request to the end of its answer.", advice: seconds);
        encodeBatches = meter.CreateHistogram("mvadapter.encode_batch_size", null, "Queries of one pass through the model.", advice: sizes);
        findBatches = meter.CreateHistogram("mvadapter.find_batch_size", null, "Queries of one pass through the index.", advice: sizes);
    }

    /// <summary>The name by which this server's numbers are read.</summary>
    public string MeterName => meter.Name;

    /// <summary>Queries of one pass through the model.</summary>
    public void Encoded(int queries) => encodeBatches.Record(queries);

    /// <summary>Queries of one pass through the index.</summary>
    public void Found(int queries) => findBatches.Record(queries);

    /// <summary>Counts a search whose answer lacks what is on some servers.</summary>
    public void Partial() => partial.Add(1);

    /// <summary>Counts a request that has been answered. The route is a pattern of ours, never what was asked.</summary>
    public void Answered(string route, int status, TimeSpan time)
    {
        requests.Add(1, new("route", route), new("status", status));
        latencies.Record(time.TotalSeconds, new KeyValuePair<string, object?>("route", route));
    }

    /// <summary>Adds a number that is read when it is asked for.</summary>
    public void Gauge(string name, string help, Func<double> value, string? unit = null) => meter.CreateObservableGauge(name, value, unit, help);

    /// <summary>Adds a number of each collection.</summary>
    public void Gauge(string name, string help, Func<IEnumerable<(long Collection, double Value)>> values) => meter.CreateObservableGauge(name,
        () => values().Select(item => new Measurement<double>(item.Value, new KeyValuePair<string, object?>("collection", item.Collection))), null, help);

    public void Dispose() => meter.Dispose();
}
