using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>What a store keeps of a video file besides its clips.</summary>
/// <param name="Path">The absolute path; unique in a collection.</param>
public sealed record VideoEntry(string Path)
{
    /// <summary>Bytes.</summary>
    public required long Size { get; init; }

    /// <summary>When the file was last changed (UTC).</summary>
    public required DateTime Modified { get; init; }

    /// <summary>A hash of its beginning and end; empty for a file that could not be read.</summary>
    public required string Hash { get; init; }

    /// <summary>Seconds; 0 where that could not be found out.</summary>
    public double Duration { get; init; }

    /// <summary>How it was cut into clips, as <see cref="ClipSplitting"/> writes it.</summary>
    public required string Splitting { get; init; }

    /// <summary>Why the video, or a clip of it, could not be encoded; null when all is well.</summary>
    public string? Problem { get; init; }

    /// <summary>Words to filter by; sorted, without duplicates.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
}

/// <summary>A video in a store.</summary>
/// <param name="Id">The store's own number; never used again for another video.</param>
/// <param name="Entry">What is kept of the file.</param>
/// <param name="Clips">The number of its clips.</param>
public sealed record IndexedVideo(long Id, VideoEntry Entry, int Clips);

/// <summary>The times of a clip to store; its vector has the same place in <see cref="ClipVectors"/>.</summary>
/// <param name="Start">Seconds from the video's beginning.</param>
/// <param name="End">Seconds from the video's beginning.</param>
public readonly record struct ClipSpan(double Start, double End);

/// <summary>A clip in a store.</summary>
/// <param name="Id">The store's own number; a clip that was encoded again has another.</param>
/// <param name="Path">The video's file.</param>
/// <param name="Span">When it begins and ends.</param>
public sealed record IndexedClip(long Id, string Path, ClipSpan Span)
{
    /// <summary>The clip as a part of its video, to be read or cut.</summary>
    /// <exception cref="VideoException">The video is no longer there.</exception>
    public VideoClip Open() => File.Exists(Path) || Directory.Exists(Path) ? new VideoClip(Path, Span.Start, Span.End)
        : throw new VideoException(Path, "the file is gone; \"index prune\" takes it out of the index");
}

/// <summary>A clip with its vector and its file's hash.</summary>
/// <param name="Clip">Which.</param>
/// <param name="Hash">The hash of the video's file.</param>
/// <param name="Vector">Its vector, L2-normalised.</param>
public sealed record SampledClip(IndexedClip Clip, string Hash, ReadOnlyMemory<float> Vector);

/// <summary>A clip that was found.</summary>
/// <param name="Clip">Which.</param>
/// <param name="Score">The dot product with the query: the cosine of the angle between them.</param>
public sealed record ClipMatch(IndexedClip Clip, float Score);
