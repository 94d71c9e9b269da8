using Microsoft.AspNetCore.Http;

namespace MvAdapter.Server;

/// <summary>Marks an address that takes a key, where keys are used.</summary>
/// <param name="Ticket">Whether a ticket will do instead.</param>
/// <param name="Role">What the key's holder must be allowed.</param>
internal sealed record KeyRequired(bool Ticket = false, KeyRole Role = KeyRole.Read);

/// <summary>Lets pass whoever has a key, or a ticket for a picture or a film.</summary>
internal sealed class KeyGuard(RequestDelegate next, ApiKeys keys, MediaTickets tickets)
{
    private const string Scheme = "Bearer ";

    private static readonly object HolderItem = new();

    /// <summary>Whose key a request has; null where no keys are used.</summary>
    public static KeyHolder? Holder(HttpContext context) => context.Items[HolderItem] as KeyHolder;

    public Task InvokeAsync(HttpContext context)
    {
        var required = context.GetEndpoint()?.Metadata.GetMetadata<KeyRequired>();
        if (required is null) return next(context);
        if (Find(context) is { } holder)
        {
            context.Items[HolderItem] = holder;
            return holder.Role >= required.Role ? next(context) : TypedResults.Problem(
                $"this key does not allow that: it takes one with the role {ApiKeys.NameOf(required.Role)}", statusCode: StatusCodes.Status403Forbidden).ExecuteAsync(context);
        }
        if (required.Ticket && HasTicket(context)) return next(context);
        context.Response.Headers.WWWAuthenticate = "Bearer";
        return TypedResults.Problem("a key is required: send it as \"Authorization: Bearer KEY\"",
            statusCode: StatusCodes.Status401Unauthorized).ExecuteAsync(context);
    }

    private KeyHolder? Find(HttpContext context) =>
        context.Request.Headers.Authorization is [{ } header] && header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
            ? keys.Find(header[Scheme.Length..].Trim()) : null;

    private bool HasTicket(HttpContext context) =>
        context.Request.Query[MediaTickets.Parameter] is [{ } ticket] && tickets.Accepts(context.Request.Path.Value ?? "", ticket);
}
