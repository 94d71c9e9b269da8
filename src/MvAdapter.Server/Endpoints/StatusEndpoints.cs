using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>What the index holds, how the server is, and what it has done.</summary>
internal sealed class StatusEndpoints(ClipStore store, Collections collections, ClipSearch search, Func<bool> isReady)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/collections", Index).WithSummary("What the index holds").Describe("Index");
        routes.MapGet("/healthz", () => TypedResults.Text("ok\n")).ExcludeFromDescription();
        routes.MapGet("/readyz", Ready).ExcludeFromDescription();
    }

    private async Task<IndexAnswer> Index(CancellationToken aborted)
    {
        await search.RefreshModels(aborted).ConfigureAwait(false);
        return new IndexAnswer(store.Name, collections.HowToAdd, collections.Count());
    }

    // Ready is who could answer a search now: the models are loaded and the index can be read.
    private ContentHttpResult Ready() => isReady() && store.Collections() is not null
        ? TypedResults.Text("ready\n") : TypedResults.Text("loading the models\n", statusCode: StatusCodes.Status503ServiceUnavailable);
}
