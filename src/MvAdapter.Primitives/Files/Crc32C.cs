using System.Buffers.Binary;
using System.Numerics;

namespace MvAdapter.Files;

/// <summary>The checksum CRC-32C, which processors compute by an instruction of their own.</summary>
public static class Crc32C
{
    /// <summary>The checksum of the bytes, as RFC 3720 gives it.</summary>
    public static uint Of(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        for (; data.Length >= sizeof(ulong); data = data[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        foreach (var value in data) crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
