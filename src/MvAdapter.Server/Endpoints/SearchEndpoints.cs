using System.ComponentModel;
using System.Numerics.Tensors;
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
    /// <summary>Where words, and videos that are sent, are searched by.</summary>
    public const string Address = "/api/search";

    private const int MostExamples = 50;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/api/collections/{collection:long}/clips/{clip:long}/timeline", Timeline)
            .WithSummary("How well each clip of a clip's video fits a query, in the order of time").Describe("Search");
        routes.MapGet(Address, ByText).WithSummary("Finds clips by words").Describe("Search");
        routes.MapPost(Address, ByVideo).WithSummary("Finds clips like a video, whose bytes are the request's body")
            .Accepts<Stream>("application/octet-stream", "video/*")
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge).ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .Describe("Search");
        routes.MapGet("/api/collections/{collection:long}/clips/{clip:long}/similar", ByClip)
            .WithSummary("Finds clips like one of the index").Describe("Search");
    }

    private async Task<SearchAnswer> ByText([FromQuery(Name = "q"), Description("What to look for")] string? words,
        HttpContext context, [AsParameters] SearchParameters parameters, CancellationToken aborted)
    {
        var scope = parameters.In(collections.Choose(parameters.Collection));
        var (mix, examples) = Read(scope.Collection, words, parameters.Like);
        using var limit = Limit(aborted);
        return Answer(context, scope, await search.ByMix(scope, mix, examples, limit.Token).ConfigureAwait(false));
    }

    private async Task<TimelineAnswer> Timeline(long collection, long clip, [FromQuery(Name = "q"), Description("What to look for")] string? words,
        [FromQuery(Name = "like"), Description("Clips that are examples of it, with commas between")] string? like, CancellationToken aborted)
    {
        var state = collections.Choose(collection);
        var (mix, examples) = Read(state, words, like);
        var (found, _) = store.FindClip(state.Collection, clip) ?? throw new NotFoundException($"there is no clip {clip} in collection {collection}");
        var video = store.FindVideo(state.Collection, found.Path) ?? throw new NotFoundException($"there is no clip {clip} in collection {collection} any more");
        using var limit = Limit(aborted);
        var query = await search.Encode(state, mix, [.. examples.Values], limit.Token).ConfigureAwait(false);
        return new TimelineAnswer(video.Entry.Duration, [.. store.ClipsWithVectors(state.Collection, video)
            .Select(other => new TimelineClip(other.Clip.Id, other.Clip.Span.Start, other.Clip.Span.End, TensorPrimitives.Dot(query, other.Vector.Span)))]);
    }

    private (QueryMix Mix, Dictionary<long, ReadOnlyMemory<float>> Examples) Read(CollectionModelState state, string? words, string? like)
    {
        var examples = new Dictionary<long, ReadOnlyMemory<float>>();
        foreach (var id in FilterParameters.Numbers(like))
        {
            if (examples.Count == MostExamples) throw new UsageException($"like takes at most {MostExamples} clips");
            var (_, vector) = store.FindClip(state.Collection, id) ?? throw new NotFoundException($"there is no clip {id} in collection {state.Collection.Id}");
            examples[id] = vector[0];
        }
        return (QueryMix.Parse(examples.Count > 0 && string.IsNullOrWhiteSpace(words) ? "" : FilterParameters.CheckWords(words), examples.Count > 0), examples);
    }

    private async Task<SearchAnswer> ByVideo(HttpContext context, [AsParameters] SearchParameters parameters)
    {
        var scope = parameters.In(collections.Choose(parameters.Collection));
        return Answer(context, scope, await uploads.Read(context, scope.Collection.Encoder!, async frames =>
        {
            using var limit = Limit(context.RequestAborted);
            return await search.ByVideo(scope, frames, limit.Token).ConfigureAwait(false);
        }).ConfigureAwait(false));
    }

    private async Task<SearchAnswer> ByClip(long collection, long clip, HttpContext context, [AsParameters] FilterParameters parameters,
        CancellationToken aborted)
    {
        var scope = parameters.In(collections.Choose(collection));
        var (_, vector) = store.FindClip(scope.Collection.Collection, clip)
            ?? throw new NotFoundException($"there is no clip {clip} in collection {collection}");
        using var limit = Limit(aborted);
        return Answer(context, scope, await search.ByMix(scope, new QueryMix("", []), new Dictionary<long, ReadOnlyMemory<float>> { [clip] = vector[0] }, limit.Token).ConfigureAwait(false));
    }

    private CancellationTokenSource Limit(CancellationToken aborted)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        limit.CancelAfter(options.QueryTimeout);
        return limit;
    }

    private SearchAnswer Answer(HttpContext context, SearchScope scope, ClipAnswer found)
    {
        // Soon it may be whole.
        if (found.Missing.Count > 0) context.Response.Headers.CacheControl = "no-store";
        var id = scope.Collection.Collection.Id;
        return new SearchAnswer(id, [.. found.Skip(scope.Offset).Select(match => addresses.Describe(id, match))], found.IsApproximate, found.Missing.Count > 0);
    }
}
