using System.Buffers;
using System.Buffers.Binary;

namespace MvAdapter.Search;

/// <summary>Clips in the binary form of COPY, with vectors as pgvector receives them; all numbers are big-endian.</summary>
internal static class ClipCopy
{
    /// <summary>The columns, in the order in which they are written.</summary>
    public const string Columns = "collection, video, start, \"end\", vector";

    private const short ColumnCount = 5;
    private const int HeaderBytes = 19;
    private const int VectorHeaderBytes = 4;   // int16 length, int16 that pgvector leaves unused

    // Eleven bytes, then flags and the length of an extension: both 0.
    private static ReadOnlySpan<byte> Signature => [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00];

    /// <summary>The clips of a video.</summary>
    public static ReadOnlyMemory<byte> Write(long collection, long video, IReadOnlyList<ClipSpan> spans, ClipVectors vectors) =>
        Write(collection, spans.Select((span, i) => (video, span, vectors[i])));

    /// <summary>Clips of several videos.</summary>
    public static ReadOnlyMemory<byte> Write(long collection, IEnumerable<(long Video, ClipSpan Span, ReadOnlyMemory<float> Vector)> clips)
    {
        var rows = new ArrayBufferWriter<byte>();
        Signature.CopyTo(rows.GetSpan(HeaderBytes));
        rows.GetSpan(HeaderBytes)[Signature.Length..HeaderBytes].Clear();
        rows.Advance(HeaderBytes);
        foreach (var (video, span, vector) in clips)
        {
            WriteShort(rows, ColumnCount);
            WriteLong(rows, collection);
            WriteLong(rows, video);
            WriteLong(rows, BitConverter.DoubleToInt64Bits(span.Start));
            WriteLong(rows, BitConverter.DoubleToInt64Bits(span.End));
            WriteVector(rows, vector.Span);
        }
        WriteShort(rows, -1);
        return rows.WrittenMemory;
    }

    private static void WriteVector(ArrayBufferWriter<byte> rows, ReadOnlySpan<float> vector)
    {
        WriteInt(rows, VectorHeaderBytes + vector.Length * sizeof(float));
        WriteShort(rows, checked((short)vector.Length));
        WriteShort(rows, 0);
        var values = rows.GetSpan(vector.Length * sizeof(float));
        for (var i = 0; i < vector.Length; i++) BinaryPrimitives.WriteSingleBigEndian(values[(i * sizeof(float))..], vector[i]);
        rows.Advance(vector.Length * sizeof(float));
    }

    private static void WriteLong(ArrayBufferWriter<byte> rows, long value)
    {
        WriteInt(rows, sizeof(long));
        BinaryPrimitives.WriteInt64BigEndian(rows.GetSpan(sizeof(long)), value);
        rows.Advance(sizeof(long));
    }

    private static void WriteInt(ArrayBufferWriter<byte> rows, int value)
    {
        BinaryPrimitives.WriteInt32BigEndian(rows.GetSpan(sizeof(int)), value);
        rows.Advance(sizeof(int));
    }

    private static void WriteShort(ArrayBufferWriter<byte> rows, short value)
    {
        BinaryPrimitives.WriteInt16BigEndian(rows.GetSpan(sizeof(short)), value);
        rows.Advance(sizeof(short));
    }
}
