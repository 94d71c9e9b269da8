using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace MvAdapter.Tests.Support;

/// <summary>Reads one float32 tensor of a safetensors fixture.</summary>
internal static class SafetensorsForTests
{
    public static float[] Read(string path, string name)
    {
        var bytes = File.ReadAllBytes(path);
        var header = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        using var json = JsonDocument.Parse(bytes.AsMemory(8, header));
        var offsets = json.RootElement.GetProperty(name).GetProperty("data_offsets");
        int from = offsets[0].GetInt32(), to = offsets[1].GetInt32();
        return MemoryMarshal.Cast<byte, float>(bytes.AsSpan(8 + header + from, to - from)).ToArray();
    }
}
