using Microsoft.Win32.SafeHandles;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// Appends to a frame cache, one process at a time. Pictures are on the disk before the index names them, so that to be
/// killed at any moment costs the clip at hand and nothing else; what such an end left behind is cut off here.
/// </summary>
internal sealed class FrameCacheWriter : IDisposable
{
    private readonly string folder;
    private readonly long shardCap;
    private readonly FileStream exclusive;
    private readonly FileStream index;
    private SafeFileHandle shard;
    private int number;
    private long end;

    /// <summary>Takes the folder for this process and mends it.</summary>
    /// <param name="folder">The cache's folder.</param>
    /// <param name="isSound">False for records that were found damaged; they are taken out of the index.</param>
    /// <param name="shardCap">The most bytes of a shard that holds more than one clip.</param>
    public FrameCacheWriter(string folder, Func<FrameRecord, bool> isSound, long shardCap)
    {
        (this.folder, this.shardCap) = (folder, shardCap);
        exclusive = Lock(folder);
        try
        {
            // Read only now: until here another process may have written.
            var found = FrameIndex.Read(folder);
            Records = [.. found.Records.Values.Where(isSound)];
            if (found.Damaged > 0 || found.Torn || Records.Count < found.Records.Count) Rewrite();
            index = new FileStream(FrameIndex.PathOf(folder), FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            number = Records.Select(record => record.Shard).DefaultIfEmpty(0).Max();
            end = Records.Where(record => record.Shard == number).Select(record => record.End).DefaultIfEmpty(0).Max();
            shard = OpenShard();
        }
        catch
        {
            index?.Dispose();
            exclusive.Dispose();
            throw;
        }
    }

    /// <summary>What the cache holds as the writer begins.</summary>
    public IReadOnlyList<FrameRecord> Records { get; }

    /// <summary>Adds a clip's pictures.</summary>
    public FrameRecord Append(string key, VideoFrames video)
    {
        var length = video.Pixels.Length;
        if (end > 0 && end + length > shardCap)
        {
            shard.Dispose();
            (number, end) = (number + 1, 0);
            shard = OpenShard();
        }
        RandomAccess.Write(shard, video.Pixels, end);
        RandomAccess.FlushToDisk(shard);
        var record = new FrameRecord(key, number, end, length, Crc32C.Of(video.Pixels), video.Taken.FramesPerSecond, [.. video.Taken.Numbers]);
        index.Write(record.ToLine());
        end = record.End;
        return record;
    }

    public void Dispose()
    {
        shard.Dispose();
        index.Dispose();
        exclusive.Dispose();
    }

    private static FileStream Lock(string folder)
    {
        var path = Path.Combine(folder, FrameCache.LockFile);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new MvAdapterException($"{TextForMessage.Quote(folder)}: another process is writing this frame cache; wait for it, or choose another folder", e);
        }
    }

    private void Rewrite() => AtomicFile.Write(FrameIndex.PathOf(folder), stream =>
    {
        foreach (var record in Records) stream.Write(record.ToLine());
    });

    private SafeFileHandle OpenShard()
    {
        if (number >= FrameShards.MaxShards) throw new MvAdapterException($"{TextForMessage.Quote(folder)}: the frame cache has {number} shards, the most it can have; choose another folder");
        var handle = File.OpenHandle(FrameShards.PathOf(folder, number), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        // What lies behind the last record was written by a process that ended before it could name it.
        RandomAccess.SetLength(handle, end);
        return handle;
    }
}
