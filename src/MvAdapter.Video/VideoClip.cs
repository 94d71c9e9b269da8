namespace MvAdapter.Video;

/// <summary>A video file, or the part of it from <paramref name="Start"/> to <paramref name="End"/>.</summary>
/// <param name="Path">The file, always a local one whatever its name looks like; or a folder of JPEG or PNG pictures, or one picture.</param>
/// <param name="Start">Seconds from the video's beginning; null for the beginning.</param>
/// <param name="End">Seconds from the video's beginning; null for the video's end.</param>
public sealed record VideoClip(string Path, double? Start = null, double? End = null)
{
    /// <summary>The pictures that the video is made of, in order, where a dataset lists them; null for the file or folder itself.</summary>
    public IReadOnlyList<string>? Pictures { get; init; }
}
