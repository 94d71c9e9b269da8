using System.Buffers.Binary;
using System.Text;

namespace MvAdapter.Checkpoints;

/// <summary>The bytes of a pickle, read forwards; a length is checked before anything is allocated for it.</summary>
internal sealed class PickleInput(ReadOnlyMemory<byte> data)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>How many bytes have been read.</summary>
    public int Position { get; private set; }

    public byte Byte() => Bytes(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2));

    public int Int32() => BinaryPrimitives.ReadInt32LittleEndian(Bytes(4));

    public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    public double BigEndianDouble() => BinaryPrimitives.ReadDoubleBigEndian(Bytes(8));

    public ReadOnlySpan<byte> Bytes(ulong count)
    {
        var left = data.Length - Position;
        if (count > (ulong)left)
            throw new PickleException($"the pickle is cut off or damaged: {count} bytes are claimed at byte {Position}, {left} are left");
        var bytes = data.Span.Slice(Position, (int)count);
        Position += (int)count;
        return bytes;
    }

    /// <summary>The bytes up to the next line feed, which is passed over.</summary>
    public ReadOnlySpan<byte> Line()
    {
        var rest = data.Span[Position..];
        var length = rest.IndexOf((byte)'\n');
        if (length < 0) throw new PickleException($"the pickle is cut off or damaged: a line at byte {Position} has no end");
        Position += length + 1;
        return rest[..length].TrimEnd((byte)'\r');
    }

    public string Ascii() => Encoding.Latin1.GetString(Line());

    public string Utf8(ulong count) => Encoding.UTF8.GetString(Bytes(count));

    /// <summary>A Python 2 string: bytes without an encoding. UTF-8 where they are that, else Latin-1.</summary>
    public static string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return Encoding.Latin1.GetString(bytes);
        }
    }
}
