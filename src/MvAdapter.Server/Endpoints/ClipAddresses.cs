using System.Globalization;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>Where a clip's video and picture are to be had, with a ticket where keys are used.</summary>
internal sealed class ClipAddresses(MediaTickets? tickets)
{
    public const string VideoRoute = "/api/collections/{collection:long}/clips/{clip:long}/video";
    public const string ThumbnailRoute = "/api/collections/{collection:long}/clips/{clip:long}/thumbnail";

    /// <summary>A clip as answers tell of it.</summary>
    public FoundClip Describe(long collection, ClipMatch match) => new(match.Clip.Id, match.Score, Path.GetFileName(match.Clip.Path), match.Clip.Path, match.Clip.Span.Start, match.Clip.Span.End,
        Video(collection, match.Clip.Id), Thumbnail(collection, match.Clip.Id));

    public string Video(long collection, long clip) => Address(collection, clip, "video");

    public string Thumbnail(long collection, long clip) => Address(collection, clip, "thumbnail");

    private string Address(long collection, long clip, string what)
    {
        var path = string.Create(CultureInfo.InvariantCulture, $"/api/collections/{collection}/clips/{clip}/{what}");
        return tickets?.Sign(path) ?? path;
    }
}
