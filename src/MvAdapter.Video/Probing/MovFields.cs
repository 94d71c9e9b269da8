using System.Buffers.Binary;
using System.Text;

namespace MvAdapter.Video;

/// <summary>Reads the numbers in a box, one after the other; none beyond its end.</summary>
internal ref struct MovFields(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    /// <summary>Refuses a file that is not as it should be.</summary>
    public static void Demand(bool condition)
    {
        if (!condition) throw new InvalidDataException("not a plain MP4 file");
    }

    /// <summary>What has not been read.</summary>
    public readonly ReadOnlySpan<byte> Rest => rest;

    public ReadOnlySpan<byte> Bytes(int count)
    {
        Demand(count <= rest.Length);
        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    public void Skip(int count) => Bytes(count);

    public byte UInt8() => Bytes(1)[0];

    public ushort UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Bytes(2));

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Bytes(4));

    public ulong UInt64() => BinaryPrimitives.ReadUInt64BigEndian(Bytes(8));

    /// <summary>Four letters.</summary>
    public string Type() => Encoding.Latin1.GetString(Bytes(4));

    /// <summary>Whether the box is of version 1, whose times have 64 bits; skips the flags beside it.</summary>
    public bool IsLong()
    {
        var version = UInt8();
        Demand(version <= 1);
        Skip(3);
        return version == 1;
    }

    /// <summary>A time or duration, which version 1 of a box has in 64 bits.</summary>
    public ulong Time(bool isLong) => isLong ? UInt64() : UInt32();

    /// <summary>Refuses a matrix that turns or shifts the picture.</summary>
    public void DemandIdentity()
    {
        // Rows of a transform in fixed point: 16.16, 16.16 and 2.30.
        foreach (var expected in (ReadOnlySpan<uint>)[1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]) Demand(UInt32() == expected);
    }
}
