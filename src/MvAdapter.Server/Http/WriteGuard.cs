using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace MvAdapter.Server;

/// <summary>Marks an address that changes something.</summary>
internal sealed record Writes;

/// <summary>
/// Lets pass only what the server's own page, or a program, may write: no request that another site has made a browser send, no body that a
/// plain form could send, not more a minute than people do.
/// </summary>
internal sealed class WriteGuard(RequestDelegate next) : IDisposable
{
    private const int LargestBody = 16 << 10;
    private const int EachMinute = 240;

    private readonly PartitionedRateLimiter<HttpContext> limiter = PartitionedRateLimiter.Create<HttpContext, string>(context =>
        RateLimitPartition.GetTokenBucketLimiter(KeyGuard.Holder(context)?.Name ?? context.Connection.RemoteIpAddress?.ToString() ?? "",
            _ => new TokenBucketRateLimiterOptions { TokenLimit = EachMinute, TokensPerPeriod = EachMinute / 60, ReplenishmentPeriod = TimeSpan.FromSeconds(1), QueueLimit = 0 }));

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<Writes>() is not null)
        {
            if (IsForeign(context.Request)) throw new ForbiddenException("another site may not write here");
            using var lease = await limiter.AcquireAsync(context, 1, context.RequestAborted).ConfigureAwait(false);
            if (!lease.IsAcquired) throw new OverloadException($"more than {EachMinute} changes a minute: try again in a moment");
        }
        await next(context).ConfigureAwait(false);
    }

    public void Dispose() => limiter.Dispose();

    /// <summary>Lets what is written come in, before anybody refuses it: who sends a body is answered only when that has been read.</summary>
    public static Task Admit(HttpContext context, RequestDelegate next)
    {
        // By its address: of another content type it has no endpoint.
        if (context.Request.Path.StartsWithSegments("/api", StringComparison.OrdinalIgnoreCase) && context.Request.Path != SearchEndpoints.Address && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = LargestBody;
        return next(context);
    }

    // Browsers say where a request comes from, in one header or the other; programs say neither.
    private static bool IsForeign(HttpRequest request) =>
        (request.Headers["Sec-Fetch-Site"] is [{ } site] && site is not ("same-origin" or "none"))
        || (request.Headers.Origin is [{ } origin] && !(Uri.TryCreate(origin, UriKind.Absolute, out var address) && address.Authority == request.Host.Value));
}

/// <summary>Who asks may not do that.</summary>
internal sealed class ForbiddenException(string message) : MvAdapterException(message);
