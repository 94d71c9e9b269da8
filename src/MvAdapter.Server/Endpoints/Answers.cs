using System.ComponentModel;

namespace MvAdapter.Server;

/// <summary>A moment that was found.</summary>
/// <param name="Clip">Its number, for "more like this".</param>
/// <param name="Score">The cosine of the angle between query and clip: the higher the better, of one collection alone.</param>
/// <param name="File">The video's name.</param>
/// <param name="Path">Where it lies on the server.</param>
/// <param name="Start">Seconds from the video's beginning.</param>
/// <param name="End">Seconds from the video's beginning.</param>
/// <param name="Video">The address of the video.</param>
/// <param name="Thumbnail">The address of a picture.</param>
internal sealed record FoundClip(
    [property: Description("The clip's number")] long Clip,
    [property: Description("Cosine similarity of query and clip")] float Score,
    [property: Description("The video's file name")] string File,
    [property: Description("The video's path on the server")] string Path,
    [property: Description("Seconds from the video's beginning")] double Start,
    [property: Description("Seconds from the video's beginning")] double End,
    [property: Description("Address of the whole video; takes range requests")] string Video,
    [property: Description("Address of a JPEG")] string Thumbnail);

/// <summary>What a search found, the best first.</summary>
/// <param name="Collection">Where.</param>
/// <param name="Results">The clips.</param>
/// <param name="Approximate">Whether not all clips were looked at.</param>
/// <param name="Partial">Whether a server of the index did not answer, so that its clips are missing.</param>
internal sealed record SearchAnswer(long Collection, IReadOnlyList<FoundClip> Results, bool Approximate, bool Partial);

/// <summary>A clip of a video, and how well it fits.</summary>
internal sealed record TimelineClip(long Clip, double Start, double End, float Score);

/// <summary>Where in a video something fits.</summary>
/// <param name="Seconds">What the video lasts.</param>
/// <param name="Clips">Its clips in the order of time.</param>
internal sealed record TimelineAnswer(double Seconds, IReadOnlyList<TimelineClip> Clips);

/// <summary>A collection: the clips of one task's model.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Name">What to call it.</param>
/// <param name="Clip">The CLIP.</param>
/// <param name="Adapter">The adapter's file; null for zero-shot.</param>
/// <param name="Videos">Videos that can be found.</param>
/// <param name="Bad">Videos that could not be encoded.</param>
/// <param name="Clips">Clips.</param>
/// <param name="Seconds">What the videos last together.</param>
/// <param name="Problem">Why it cannot be searched; null when it can.</param>
/// <param name="Replaces">The number of the collection whose place it has taken; null for none.</param>
internal sealed record CollectionAnswer(long Id, string Name, string Clip, string? Adapter, long Videos, long Bad, long Clips,
    double Seconds, string? Problem, long? Replaces);

/// <summary>The index.</summary>
/// <param name="Index">Its name.</param>
/// <param name="Fill">The command that fills it.</param>
/// <param name="Collections">What it holds.</param>
internal sealed record IndexAnswer(string Index, string Fill, IReadOnlyList<CollectionAnswer> Collections);
