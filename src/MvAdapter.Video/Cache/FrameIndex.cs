namespace MvAdapter.Video;

/// <summary>What the index of a frame cache says: a record for each clip, appended when its pictures are safely on disk.</summary>
/// <param name="Records">By key; of two with the same key the later one counts.</param>
/// <param name="Damaged">Lines that cannot be read, and records whose pictures are not there.</param>
/// <param name="Torn">Whether the last line has no end: its writer was stopped, or is still writing it.</param>
internal sealed record FrameIndex(IReadOnlyDictionary<string, FrameRecord> Records, int Damaged, bool Torn)
{
    private const byte Newline = (byte)'\n';

    /// <summary>The index of a cache's folder.</summary>
    public static string PathOf(string folder) => Path.Combine(folder, "frames.index");

    /// <summary>Reads the index of a folder.</summary>
    /// <exception cref="InvalidFileException">It cannot be read at all.</exception>
    public static FrameIndex Read(string folder)
    {
        var path = PathOf(folder);
        var records = new Dictionary<string, FrameRecord>(StringComparer.Ordinal);
        var lengths = new Dictionary<int, long>();
        var damaged = 0;
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            var torn = ReadLines(stream, line =>
            {
                if (FrameRecord.Parse(line) is { } record && record.End <= ShardLength(record.Shard)) records[record.Key] = record;
                else damaged++;
            });
            return new FrameIndex(records, damaged, torn);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }

        long ShardLength(int shard) => lengths.TryGetValue(shard, out var length) ? length : lengths[shard] = FrameShards.LengthOf(folder, shard);
    }

    // Bounded memory whatever the file holds: a line too long to be one is handed over in pieces, each of them damaged.
    private static bool ReadLines(FileStream stream, Action<ReadOnlySpan<byte>> take)
    {
        var buffer = new byte[FrameRecord.MaxLine];
        var filled = 0;
        while (stream.Read(buffer, filled, buffer.Length - filled) is > 0 and var read)
        {
            filled += read;
            var start = 0;
            while (buffer.AsSpan(start, filled - start).IndexOf(Newline) is >= 0 and var length)
            {
                take(buffer.AsSpan(start, length));
                start += length + 1;
            }
            if (start == 0 && filled == buffer.Length)
            {
                take(buffer);
                start = filled;
            }
            buffer.AsSpan(start, filled - start).CopyTo(buffer);
            filled -= start;
        }
        return filled > 0;
    }
}
