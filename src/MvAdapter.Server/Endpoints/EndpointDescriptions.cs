using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace MvAdapter.Server;

/// <summary>What the API's description says of addresses that take a key.</summary>
internal static class EndpointDescriptions
{
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, string tag, bool ticket = false, KeyRole role = KeyRole.Read) => route
        .WithTags(tag)
        .WithMetadata(new KeyRequired(ticket, role))
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status403Forbidden)
        .ProducesProblem(StatusCodes.Status404NotFound)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
}
