using Microsoft.AspNetCore.Http;

namespace MvAdapter.Server;

/// <summary>Marks an address that takes a key, where keys are used.</summary>
/// <param name="Ticket">Whether a ticket will do instead.</param>
internal sealed record KeyRequired(bool Ticket = false);

/// <summary>Lets pass whoever has a key, or a ticket for a picture or a film.</summary>
internal sealed class KeyGuard(RequestDelegate next, ApiKeys keys, MediaTickets tickets)
{
    private const string Scheme = "Bearer ";

    public Task InvokeAsync(HttpContext context)
    {
        var required = context.GetEndpoint()?.Metadata.GetMetadata<KeyRequired>();
        if (required is null || HasKey(context) || (required.Ticket && HasTicket(context))) return next(context);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return TypedResults.Problem("a key is required: send it as \"Authorization: Bearer KEY\"",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context);
    }

    private bool HasKey(HttpContext context) =>
        context.Request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            && keys.Accepts(header[Scheme.Length..].Trim());

    private bool HasTicket(HttpContext context) =>
        context.Request.Query[MediaTickets.Parameter] is [{ } ticket] && tickets.Accepts(context.Request.Path.Value ?? "", ticket);
}
