using System.Collections;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace MvAdapter.Server;

/// <summary>Who is told of the server's numbers and traces.</summary>
internal static class Telemetry
{
    private const string Collector = "OTEL_EXPORTER_OTLP_ENDPOINT";

    /// <summary>Prometheus may read the numbers; a collector is sent them and traces, where OpenTelemetry's own variables name one.</summary>
    public static void AddTelemetry(this WebApplicationBuilder builder, ServerMetrics numbers)
    {
        // Of the environment nothing else is read.
        builder.Configuration.AddInMemoryCollection(Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .Where(variable => ((string)variable.Key).StartsWith("OTEL_", StringComparison.Ordinal))
            .Select(variable => KeyValuePair.Create((string)variable.Key, (string?)variable.Value)));
        var telemetry = builder.Services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("mvadapter", serviceVersion: typeof(Telemetry).Assembly.GetName().Version?.ToString(3))).WithMetrics(metrics => metrics
            .AddMeter(numbers.MeterName)
            .AddPrometheusExporter(prometheus => prometheus.ScrapeResponseCacheDurationMilliseconds = 0));
        if (builder.Configuration[Collector] is not { Length: > 0 }) return;
        telemetry.WithTracing(traces => traces.AddSource(ServerMetrics.Name).AddAspNetCoreInstrumentation()).UseOtlpExporter();
    }

    /// <summary>The numbers as Prometheus reads them.</summary>
    public static void MapMetrics(this WebApplication app) => app.MapPrometheusScrapingEndpoint("/metrics").WithMetadata(new KeyRequired());
}
