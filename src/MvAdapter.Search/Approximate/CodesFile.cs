using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>The clips of a cell on their way into its graph: of each its number, 8 bytes, and its vector in 8 bits a number.</summary>
internal static class CodesFile
{
    /// <summary>Appends a clip.</summary>
    public static void Write(Stream file, (long Clip, sbyte[] Codes) clip)
    {
        Span<byte> number = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(number, clip.Clip);
        file.Write(number);
        file.Write(MemoryMarshal.AsBytes(clip.Codes.AsSpan()));
    }

    /// <summary>Reads all, some at a time.</summary>
    public static IEnumerable<List<(long Clip, sbyte[] Codes)>> Read(string path, int width)
    {
        using var file = File.OpenRead(path);
        var (record, page) = (new byte[sizeof(long) + width], new List<(long, sbyte[])>());
        while (file.ReadAtLeast(record, record.Length, throwOnEndOfStream: false) == record.Length)
        {
            page.Add((BinaryPrimitives.ReadInt64LittleEndian(record), MemoryMarshal.Cast<byte, sbyte>(record.AsSpan(sizeof(long))).ToArray()));
            if (page.Count < ClipPages.Size) continue;
            yield return page;
            page = [];
        }
        if (page.Count > 0) yield return page;
    }
}
