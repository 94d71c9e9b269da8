using System.Collections.Concurrent;

namespace MvAdapter.Video;

/// <summary>
/// The pictures of clips in any order: from the frame cache where it has them, else by decoding, ahead of the caller
/// either way. Whoever reads need not know which.
/// </summary>
public sealed class FrameSource : IDisposable
{
    private readonly VideoReader reader;
    private readonly FrameCache? cache;
    private readonly ConcurrentDictionary<VideoClip, VideoFrames> memory = new();
    private long memoryLeft;

    /// <summary>Reads by <paramref name="reader"/> what is not in <paramref name="cache"/>, which this source disposes.</summary>
    /// <param name="reader">Decodes, and says which frames of which size are wanted.</param>
    /// <param name="cache">Frames prepared on disk, or null.</param>
    /// <param name="memoryBytes">Decoded frames up to this size stay in memory, so that a small dataset is decoded once.</param>
    public FrameSource(VideoReader reader, FrameCache? cache = null, long memoryBytes = 0)
    {
        ArgumentNullException.ThrowIfNull(reader);
        cache?.RefuseOther(reader);
        (this.reader, this.cache, memoryLeft) = (reader, cache, memoryBytes);
    }

    /// <summary>Opens the cache of a folder; without a folder every clip is decoded.</summary>
    /// <param name="reader">Decodes, and says which frames of which size are wanted.</param>
    /// <param name="cacheFolder">A folder that <see cref="FrameCache.Prepare"/> has filled, or null.</param>
    /// <param name="memoryBytes">Decoded frames up to this size stay in memory.</param>
    /// <param name="warn">Told, in one line each, of damage found in the cache.</param>
    /// <exception cref="InvalidFileException">There is no cache in the folder.</exception>
    public static FrameSource Open(VideoReader reader, string? cacheFolder, long memoryBytes = 0, Action<string>? warn = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        return new FrameSource(reader, cacheFolder is null ? null : FrameCache.Open(cacheFolder, reader.Sampling, reader.ImageSize, warn, reader.Processor.Preprocessing.ResizeName), memoryBytes);
    }

    /// <summary>Reads one clip on the calling thread.</summary>
    public VideoFrames Read(VideoClip clip, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        return Find(clip) ?? Keep(reader.Read(clip, cancellation));
    }

    /// <summary>Reads clips in their order; one that cannot be read comes with its <see cref="VideoFrames.Error"/>.</summary>
    public IEnumerable<VideoFrames> Read(IEnumerable<VideoClip> clips, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        return reader.Read(clips, Find, Keep, cancellation);
    }

    private VideoFrames? Find(VideoClip clip) =>
        memory.TryGetValue(clip, out var kept) ? kept : cache is not null && cache.TryRead(clip, out var frames) ? frames : null;

    // What lies prepared on disk is in the system's own cache of files; only decoded frames are worth keeping.
    private VideoFrames Keep(VideoFrames frames)
    {
        if (Interlocked.Add(ref memoryLeft, -frames.Pixels.Length) < 0 || !memory.TryAdd(frames.Clip, frames))
            Interlocked.Add(ref memoryLeft, frames.Pixels.Length);
        return frames;
    }

    /// <summary>Closes the cache.</summary>
    public void Dispose() => cache?.Dispose();
}
