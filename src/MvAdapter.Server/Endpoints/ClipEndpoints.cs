using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>A clip's film and picture: by number alone, never by path.</summary>
internal sealed class ClipEndpoints(ClipStore store, CollectionModels models, IndexedFile files, Thumbnails thumbnails)
{
    // A clip that is encoded again gets another number.
    private const string Unchanging = "private, max-age=86400, immutable";
    private static readonly string[] Methods = ["GET", "HEAD"];

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapMethods(ClipAddresses.VideoRoute, Methods, Video)
            .WithSummary("The whole video that a clip is of; takes range requests").Describe("Clips", ticket: true);
        routes.MapMethods(ClipAddresses.ThumbnailRoute, Methods, Thumbnail)
            .WithSummary("The picture in a clip's middle, a JPEG of at most 320 pixels' width").Describe("Clips", ticket: true);
    }

    private FileStreamHttpResult Video(long collection, long clip)
    {
        var (owner, found) = Find(collection, clip);
        return TypedResults.Stream(files.Open(owner, found), IndexedFile.ContentType(found.Path), enableRangeProcessing: true);
    }

    private async Task<FileContentHttpResult> Thumbnail(HttpContext context, long collection, long clip)
    {
        var (owner, found) = Find(collection, clip);
        var picture = await thumbnails.Get(owner, found, context.RequestAborted).ConfigureAwait(false);
        context.Response.Headers.CacheControl = Unchanging;
        return TypedResults.Bytes(picture, "image/jpeg");
    }

    private (ClipCollection Collection, IndexedClip Clip) Find(long collection, long clip)
    {
        var owner = models.Find(collection)?.Collection
            ?? throw new NotFoundException($"there is no collection {collection}; /api/collections lists what there is");
        return store.FindClip(owner, clip) is { } found ? (owner, found.Clip)
            : throw new NotFoundException($"there is no clip {clip} in collection {collection}");
    }
}
