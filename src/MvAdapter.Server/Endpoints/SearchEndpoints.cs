using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>Searching: by words, by a video that is sent, by a clip of the index.</summary>
internal sealed class SearchEndpoints(ClipStore store, Collections collections, ClipSearch search, Uploads uploads, ClipAddresses addresses,
    ServerOptions options)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/search", ByText).WithSummary("Finds clips by words").Describe("Search");
        routes.MapPost("/api/search", ByVideo).WithSummary("Finds clips like a video, whose bytes are the request's body")
            .Accepts<Stream>("application/octet-stream", "video/*")
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .Describe("Search");
        routes.MapGet("/api/collections/{collection:long}/clips/{clip:long}/similar", ByClip)
            .WithSummary("Finds clips like one of the index").Describe("Search");
    }

    private async Task<SearchAnswer> ByText([FromQuery(Name = "q"), Description("What to look for")] string? words,
        [AsParameters] SearchParameters parameters, CancellationToken aborted)
    {
        var text = FilterParameters.CheckWords(words);
        var scope = parameters.In(collections.Choose(parameters.Collection));
        using var limit = Limit(aborted);
        return Answer(scope, await search.ByText(scope, text, limit.Token).ConfigureAwait(false));
    }

    private async Task<SearchAnswer> ByVideo(HttpContext context, [AsParameters] SearchParameters parameters)
    {
        var scope = parameters.In(collections.Choose(parameters.Collection));
        return Answer(scope, await uploads.Read(context, scope.Collection.Encoder!, async frames =>
        {
            using var limit = Limit(context.RequestAborted);
            return await search.ByVideo(scope, frames, limit.Token).ConfigureAwait(false);
        }).ConfigureAwait(false));
    }

    private async Task<SearchAnswer> ByClip(long collection, long clip, [AsParameters] FilterParameters parameters,
        CancellationToken aborted)
    {
        var scope = parameters.In(collections.Choose(collection));
        var (_, vector) = store.FindClip(scope.Collection.Collection, clip)
            ?? throw new NotFoundException($"there is no clip {clip} in collection {collection}");
        using var limit = Limit(aborted);
        return Answer(scope, await search.ByClip(scope, clip, vector, limit.Token).ConfigureAwait(false));
    }

    private CancellationTokenSource Limit(CancellationToken aborted)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        limit.CancelAfter(options.QueryTimeout);
        return limit;
    }

    private SearchAnswer Answer(SearchScope scope, IReadOnlyList<ClipMatch> found)
    {
        var id = scope.Collection.Collection.Id;
        return new SearchAnswer(id, [.. found.Select(match => addresses.Describe(id, match))]);
    }
}
