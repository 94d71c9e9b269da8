using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace MvAdapter.Server;

/// <summary>Counts each request and writes a line of it. What was searched for is not written.</summary>
internal sealed partial class RequestLog(RequestDelegate next, ServerMetrics metrics, ILogger<RequestLog> log)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            await next(context).ConfigureAwait(false);
        }
        finally
        {
            var (time, status) = (Stopwatch.GetElapsedTime(start), context.Response.StatusCode);
            metrics.Answered((context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none", status, time);
            Answered(context.Request.Method, TextForMessage.Quote(context.Request.Path.Value ?? "", 200), status, time.TotalMilliseconds,
                context.TraceIdentifier);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "{Method} {Path} {Status} {Milliseconds:0.0} ms {Id}")]
    private partial void Answered(string method, string path, int status, double milliseconds, string id);
}
