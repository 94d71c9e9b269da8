namespace MvAdapter.Video;

/// <summary>How far the preparing of a frame cache has come.</summary>
/// <param name="Done">Clips decoded, those that could not be included.</param>
/// <param name="Total">Clips that were not in the cache.</param>
/// <param name="Bytes">Bytes of pictures written.</param>
public readonly record struct FrameCacheProgress(int Done, int Total, long Bytes);

/// <summary>What the preparing of a frame cache has done.</summary>
/// <param name="Written">Clips added.</param>
/// <param name="Present">Clips that were there already.</param>
/// <param name="Bytes">Bytes of pictures added.</param>
/// <param name="Skipped">The clips that could not be decoded, and why.</param>
public sealed record FrameCacheReport(int Written, int Present, long Bytes, IReadOnlyList<VideoException> Skipped);
