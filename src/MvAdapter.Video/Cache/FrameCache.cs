using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace MvAdapter.Video;

/// <summary>
/// A folder of decoded, resized and cropped pictures, so that every epoch after the first reads them at the speed of
/// memory. An entry is found by what it was made from; whoever changed the video, the sampling or the size does not find
/// it. Damaged entries are not found either, with a warning. Any number of threads and processes may read while one
/// process writes.
/// </summary>
public sealed class FrameCache : IDisposable
{
    internal const string LockFile = ".lock";
    private const long UsualShardCap = 1L << 30;
    private const int FilesLookedAtAtOnce = 8;

    private readonly FrameCacheKeys keys;
    private readonly FrameShards shards;
    private readonly Action<string>? warn;
    private readonly string resize;
    private readonly ConcurrentDictionary<string, FrameRecord> records = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(int Shard, long Offset), bool> damaged = new();

    private FrameCache(string folder, FrameSampling sampling, int imageSize, Action<string>? warn, string resize)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        var index = FrameIndex.Read(folder);
        (Folder, Sampling, ImageSize, this.warn, this.resize) = (folder, sampling, imageSize, warn, resize);
        (keys, shards) = (new FrameCacheKeys(sampling, imageSize, resize), new FrameShards(folder));
        foreach (var record in index.Records.Values) records[record.Key] = record;
        if (index.Damaged > 0) warn?.Invoke($"{TextForMessage.Quote(folder)}: {index.Damaged} entries of the frame cache are damaged; their videos are decoded again (\"prepare\" mends the cache)");
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>Which frames are looked for.</summary>
    public FrameSampling Sampling { get; }

    /// <summary>Width and height of the pictures that are looked for.</summary>
    public int ImageSize { get; }

    /// <summary>Clips in the folder, of whatever sampling and size.</summary>
    public int Count => records.Count;

    /// <summary>The most bytes that a clip takes; one that is too short for all frames takes less.</summary>
    public long BytesPerClip => (long)Sampling.MaxFrames * ImageSize * ImageSize * 3;

    /// <summary>The most bytes of a shard that holds more than one clip.</summary>
    internal long ShardCap { get; set; } = UsualShardCap;

    /// <summary>Opens a cache that was prepared before.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="sampling">Which frames are wanted.</param>
    /// <param name="imageSize">Width and height of the pictures wanted.</param>
    /// <param name="warn">Told, in one line each, of damage found; by any thread that reads.</param>
    /// <param name="resize">How pictures are resized (<see cref="Preprocessing.ResizeName"/>); empty for the common way.</param>
    /// <exception cref="InvalidFileException">There is no cache.</exception>
    public static FrameCache Open(string folder, FrameSampling sampling, int imageSize, Action<string>? warn = null, string resize = "") =>
        File.Exists(FrameIndex.PathOf(folder))
            ? new FrameCache(folder, sampling, imageSize, warn, resize)
            : throw new InvalidFileException(folder, "is no frame cache; make one with \"prepare\"");

    /// <summary>Opens a cache, or begins one in a folder that is new or empty.</summary>
    /// <param name="folder">The folder; it is created when absent, and refused when it holds anything else.</param>
    /// <param name="sampling">Which frames are wanted.</param>
    /// <param name="imageSize">Width and height of the pictures wanted.</param>
    /// <param name="warn">Told, in one line each, of damage found; by any thread that reads.</param>
    /// <param name="resize">How pictures are resized (<see cref="Preprocessing.ResizeName"/>); empty for the common way.</param>
    /// <exception cref="InvalidFileException">The folder holds other files or cannot be written.</exception>
    public static FrameCache OpenOrCreate(string folder, FrameSampling sampling, int imageSize, Action<string>? warn = null, string resize = "")
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        try
        {
            Directory.CreateDirectory(folder);
            if (!File.Exists(FrameIndex.PathOf(folder)))
            {
                if (Directory.EnumerateFileSystemEntries(folder).Any(entry => Path.GetFileName(entry) != LockFile))
                    throw new InvalidFileException(folder, "holds other files: choose a new folder for the frame cache");
                new FileStream(FrameIndex.PathOf(folder), FileMode.Append).Dispose();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(folder, $"cannot be written: {TextForMessage.Quote(e.Message)}", e);
        }
        return new FrameCache(folder, sampling, imageSize, warn, resize);
    }

    /// <summary>The clip's pictures, if they are in the cache and the video has not changed since.</summary>
    public bool TryRead(VideoClip clip, [NotNullWhen(true)] out VideoFrames? frames)
    {
        ArgumentNullException.ThrowIfNull(clip);
        frames = null;
        if (keys.Of(clip) is not { } key || !records.TryGetValue(key, out var record)) return false;
        try
        {
            if (record.Length != (long)record.Frames.Length * ImageSize * ImageSize * 3)
                throw new InvalidFileException(FrameIndex.PathOf(Folder), "names a wrong number of bytes");
            frames = new VideoFrames(clip, shards.Read(record), new TakenFrames(record.Frames, record.FramesPerSecond));
            return true;
        }
        catch (InvalidFileException e)
        {
            damaged[(record.Shard, record.Offset)] = true;
            // Once for each entry, however many threads find it damaged.
            if (records.TryRemove(new KeyValuePair<string, FrameRecord>(key, record)))
                warn?.Invoke($"{e.Message}; {TextForMessage.Quote(clip.Path)} is decoded again (\"prepare --verify\" mends the cache)");
            return false;
        }
    }

    /// <summary>The clips that are not in the cache, each once.</summary>
    /// <param name="clips">The clips wanted.</param>
    /// <param name="verify">Whether to read those that are, and count the damaged ones as missing.</param>
    /// <param name="cancellation">Ends the search.</param>
    public IReadOnlyList<VideoClip> Missing(IEnumerable<VideoClip> clips, bool verify = false, CancellationToken cancellation = default) =>
        [.. Distinct(clips, cancellation).Where(item => !Has(item.Key, item.Clip, verify, cancellation)).Select(item => item.Clip)];

    /// <summary>
    /// Decodes the clips that are missing and adds them. It may be stopped at any time, by whatever means: a later call
    /// goes on from there.
    /// </summary>
    /// <param name="clips">The clips wanted.</param>
    /// <param name="reader">Decodes them.</param>
    /// <param name="progress">Told of every clip.</param>
    /// <param name="cancellation">Stops; what is complete stays.</param>
    /// <param name="read">Reads the clips in the reader's place, as it would.</param>
    /// <exception cref="MvAdapterException">Another process is writing, or the disk is full; what is complete stays readable.</exception>
    public FrameCacheReport Prepare(
        IEnumerable<VideoClip> clips, VideoReader reader, IProgress<FrameCacheProgress>? progress = null, CancellationToken cancellation = default, ClipReader? read = null)
    {
        ArgumentNullException.ThrowIfNull(reader);
        RefuseOther(reader);
        var written = 0;
        try
        {
            using var writer = new FrameCacheWriter(Folder, record => !damaged.ContainsKey((record.Shard, record.Offset)), ShardCap);
            records.Clear();
            foreach (var record in writer.Records) records[record.Key] = record;
            var all = Distinct(clips, cancellation);
            var missing = all.Where(item => !Has(item.Key)).ToList();
            var skipped = new List<VideoException>();
            long bytes = 0;
            foreach (var video in (read ?? reader.Read)(missing.Select(item => item.Clip), cancellation))
            {
                var key = missing[written + skipped.Count].Key;
                if (video.Error is { } error) skipped.Add(error);
                else if (key is null || keys.Of(video.Clip) != key) skipped.Add(new VideoException(video.Clip.Path, "changed while it was read; run this again"));
                else
                {
                    records[key] = writer.Append(key, video);
                    written++;
                    bytes += video.Pixels.Length;
                }
                progress?.Report(new FrameCacheProgress(written + skipped.Count, missing.Count, bytes));
            }
            return new FrameCacheReport(written, all.Count - missing.Count, bytes, skipped);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(Folder, $"cannot be written ({TextForMessage.Quote(e.Message)}); the {written} clips added before stay readable: make room and run this again", e);
        }
    }

    /// <summary>Closes the files.</summary>
    public void Dispose() => shards.Dispose();

    internal void RefuseOther(VideoReader reader)
    {
        if (reader.Sampling != Sampling || reader.ImageSize != ImageSize || reader.Processor.Preprocessing.ResizeName != resize)
            throw new UsageException($"the frame cache is opened for \"{Sampling}\" at {ImageSize} pixels, the videos are read with \"{reader.Sampling}\" at {reader.ImageSize}");
    }

    private bool Has(string? key) => key is not null && records.ContainsKey(key);

    private bool Has(string? key, VideoClip clip, bool verify, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        return verify ? TryRead(clip, out _) : Has(key);
    }

    // Several at once, since on a network each look at a file is a wait.
    private List<(VideoClip Clip, string? Key)> Distinct(IEnumerable<VideoClip> clips, CancellationToken cancellation) =>
        [.. clips.ToList().AsParallel().AsOrdered().WithDegreeOfParallelism(FilesLookedAtAtOnce).WithCancellation(cancellation)
            .Select(clip => (Clip: clip, Key: keys.Of(clip))).AsSequential()
            .DistinctBy(item => item.Key ?? item.Clip.ToString(), StringComparer.Ordinal)];
}
