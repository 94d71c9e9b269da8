namespace MvAdapter.Video;

/// <summary>Reads clips in order, skipping none: one that cannot be read comes with its error.</summary>
/// <param name="clips">The clips; enumerated as far as reading ahead needs.</param>
/// <param name="cancellation">Ends the reading.</param>
public delegate IEnumerable<VideoFrames> ClipReader(IEnumerable<VideoClip> clips, CancellationToken cancellation);
