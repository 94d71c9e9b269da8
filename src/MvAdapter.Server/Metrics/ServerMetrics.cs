using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace MvAdapter.Server;

/// <summary>What the server has done so far, as text that Prometheus reads.</summary>
internal sealed class ServerMetrics
{
    private static readonly double[] Seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
    private static readonly double[] Sizes = [1, 2, 4, 8, 16, 32, 64];
    private readonly ConcurrentDictionary<(string Route, int Status), long> requests = new();
    private readonly ConcurrentDictionary<string, Histogram> latencies = new();
    private readonly List<(string Name, string Help, Func<IEnumerable<(string Labels, double Value)>> Values)> gauges = [];

    /// <summary>Queries of one pass through the model.</summary>
    public Histogram EncodeBatches { get; } = new(Sizes);

    /// <summary>Queries of one pass through the index.</summary>
    public Histogram FindBatches { get; } = new(Sizes);

    /// <summary>Adds a number that is read when it is asked for; before the server starts.</summary>
    public void Gauge(string name, string help, Func<double> value) => Gauge(name, help, () => [("", value())]);

    /// <summary>Adds numbers with labels that are read when they are asked for; before the server starts.</summary>
    public void Gauge(string name, string help, Func<IEnumerable<(string Labels, double Value)>> values) =>
        gauges.Add((name, help, values));

    /// <summary>Counts a request that has been answered. The route is a pattern of ours, never what was asked.</summary>
    public void Answered(string route, int status, TimeSpan time)
    {
        requests.AddOrUpdate((route, status), 1, static (_, count) => count + 1);
        latencies.GetOrAdd(route, static _ => new Histogram(Seconds)).Observe(time.TotalSeconds);
    }

    /// <summary>All of it.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Head(text, "mvadapter_requests_total", "counter", "Requests answered.");
        foreach (var ((route, status), count) in requests)
            text.Append(CultureInfo.InvariantCulture, $"mvadapter_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n");
        Head(text, "mvadapter_request_seconds", "histogram", "Time from a request to the end of its answer.");
        foreach (var (route, latency) in latencies) latency.Write(text, "mvadapter_request_seconds", $"route=\"{route}\"");
        Head(text, "mvadapter_encode_batch_size", "histogram", "Queries of one pass through the model.");
        EncodeBatches.Write(text, "mvadapter_encode_batch_size", "");
        Head(text, "mvadapter_find_batch_size", "histogram", "Queries of one pass through the index.");
        FindBatches.Write(text, "mvadapter_find_batch_size", "");
        foreach (var (name, help, values) in gauges)
        {
            Head(text, name, "gauge", help);
            foreach (var (labels, value) in values()) text.Append(CultureInfo.InvariantCulture, $"{name}{{{labels}}} {value}\n");
        }
        return text.ToString();
    }

    private static void Head(StringBuilder text, string name, string kind, string help) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {kind}\n");
}
