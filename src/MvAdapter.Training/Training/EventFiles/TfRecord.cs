using System.Buffers.Binary;
using System.Numerics;
using MvAdapter.Files;

namespace MvAdapter.Training;

/// <summary>
/// TFRecord framing: length (8 bytes), its checksum (4), the data, their checksum (4), all little-endian; the checksums are
/// CRC-32C, rotated and shifted so that the checksum of data that hold checksums stays useful.
/// </summary>
internal static class TfRecord
{
    private const int HeaderSize = 12;
    private const int FooterSize = 4;

    /// <summary>Records of event files are scalars or at most images; nothing legitimate is larger.</summary>
    private const ulong LargestRecord = 256 << 20;

    public static byte[] Frame(ReadOnlySpan<byte> data)
    {
        var record = new byte[HeaderSize + data.Length + FooterSize];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc32C(record.AsSpan(0, 8)));
        data.CopyTo(record.AsSpan(HeaderSize));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(HeaderSize + data.Length), MaskedCrc32C(data));
        return record;
    }

    /// <summary>The next record's data, or null at the end; a record cut off at the end counts as not yet written.</summary>
    public static byte[]? Read(Stream stream, string path)
    {
        var header = new byte[HeaderSize];
        if (stream.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize) return null;
        var length = BinaryPrimitives.ReadUInt64LittleEndian(header);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(8)) != MaskedCrc32C(header.AsSpan(0, 8)))
            throw new InvalidFileException(path, "is no event file, or damaged: the checksum of a record's length is wrong");
        if (length > LargestRecord) throw new InvalidFileException(path, $"holds a record of {length} bytes, more than any event");
        if (length + FooterSize > (ulong)Math.Max(0, stream.Length - stream.Position)) return null;

        var data = new byte[length];
        var footer = new byte[FooterSize];
        stream.ReadExactly(data);
        stream.ReadExactly(footer);
        if (BinaryPrimitives.ReadUInt32LittleEndian(footer) != MaskedCrc32C(data))
            throw new InvalidFileException(path, "is damaged: the checksum of a record is wrong");
        return data;
    }

    private static uint MaskedCrc32C(ReadOnlySpan<byte> data) => unchecked(BitOperations.RotateRight(Crc32C.Of(data), 15) + 0xa282ead8u);
}
