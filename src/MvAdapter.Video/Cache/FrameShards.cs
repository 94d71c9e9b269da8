using System.Globalization;
using Microsoft.Win32.SafeHandles;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// The files of pictures. They are read by position rather than mapped: as fast from the system's memory, and a file
/// that is cut off under the reader is then an error to handle, not a signal that ends the process.
/// </summary>
internal sealed class FrameShards(string folder) : IDisposable
{
    /// <summary>Shards have numbers below this.</summary>
    public const int MaxShards = 100_000;

    private readonly Lock opening = new();
    private readonly Dictionary<int, SafeFileHandle> handles = [];

    /// <summary>The file of a shard.</summary>
    public static string PathOf(string folder, int shard) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"frames-{shard:00000}.shard"));

    /// <summary>Bytes of a shard; 0 when there is none.</summary>
    public static long LengthOf(string folder, int shard) => new FileInfo(PathOf(folder, shard)) is { Exists: true, Length: var length } ? length : 0;

    /// <summary>The pictures of a clip, with their checksum verified.</summary>
    /// <exception cref="InvalidFileException">They are not there, or not what was written.</exception>
    public byte[] Read(FrameRecord record)
    {
        var path = PathOf(folder, record.Shard);
        var handle = Open(record.Shard, path);
        if (record.End > RandomAccess.GetLength(handle)) throw new InvalidFileException(path, "is cut off");
        var pixels = InputFile.ReadBytes(handle, path, record.Offset, record.Length);
        return Crc32C.Of(pixels) == record.Checksum ? pixels : throw new InvalidFileException(path, "is damaged: a checksum is wrong");
    }

    public void Dispose()
    {
        lock (opening)
        {
            foreach (var handle in handles.Values) handle.Dispose();
            handles.Clear();
        }
    }

    private SafeFileHandle Open(int shard, string path)
    {
        lock (opening)
        {
            if (!handles.TryGetValue(shard, out var handle)) handles[shard] = handle = InputFile.Open(path);
            return handle;
        }
    }
}
