using System.Buffers.Binary;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using MvAdapter.Files;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// The start of a safetensors file: an 8-byte length, then JSON that says where each tensor lies. Every claim is
/// checked against the file before anything is read by it.
/// </summary>
internal sealed class SafetensorsHeader
{
    private const int LengthBytes = 8;
    private const long MaxLength = 100_000_000;

    // Duplicate names are refused by the parser; depth 4 is what the format needs.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 4 };

    private readonly string path;
    private readonly long dataLength;

    private SafetensorsHeader(string path, long dataStart, long dataLength)
    {
        this.path = path;
        DataStart = dataStart;
        this.dataLength = dataLength;
    }

    /// <summary>A tensor's place, counted from <see cref="DataStart"/>.</summary>
    public sealed record Entry(string Name, DType DType, long[] Shape, long Begin, long End);

    /// <summary>Where the first tensor's bytes stand in the file.</summary>
    public long DataStart { get; }

    /// <summary>The tensors in the order in which they lie.</summary>
    public List<Entry> Entries { get; private set; } = [];

    /// <summary>The free text that the file carries.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads and checks the header.</summary>
    public static SafetensorsHeader Read(SafeFileHandle handle, string path)
    {
        var fileLength = RandomAccess.GetLength(handle);
        if (fileLength < LengthBytes) throw new InvalidFileException(path, "is too short to be a safetensors file");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(InputFile.ReadBytes(handle, path, 0, LengthBytes));
        if (length > MaxLength || (long)length > fileLength - LengthBytes)
            throw new InvalidFileException(path, $"is not a safetensors file, or is cut off: it claims a header of {length} bytes");
        var dataStart = LengthBytes + (long)length;
        var header = new SafetensorsHeader(path, dataStart, fileLength - dataStart);
        header.Parse(InputFile.ReadBytes(handle, path, LengthBytes, (int)length));
        header.CheckLayout();
        return header;
    }

    private void Parse(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Invalid("its header is not a JSON object");
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == "__metadata__") ParseMetadata(property.Value);
                else Entries.Add(ParseEntry(property.Name, property.Value));
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that is no valid UTF-16 once its escapes are resolved.
            throw new InvalidFileException(path, $"is not a safetensors file: its header is not valid JSON ({TextForMessage.Quote(exception.Message)})", exception);
        }
    }

    private void ParseMetadata(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object) throw Invalid("its metadata is not a JSON object");
        foreach (var property in element.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                throw Invalid($"its metadata {TextForMessage.Quote(property.Name, 80)} is not text");
            Metadata.Add(property.Name, property.Value.GetString()!);
        }
    }

    private Entry ParseEntry(string name, JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !element.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || ReadIntegers(element, "shape") is not { } shape
            || ReadIntegers(element, "data_offsets") is not [var begin, var end])
        {
            throw Invalid($"tensor {Quote(name)} lacks a proper dtype, shape or data_offsets");
        }
        if (SafetensorsTypes.TryParse(dtype.GetString()!) is not { } type)
            throw Invalid($"tensor {Quote(name)} has the type {TextForMessage.Quote(dtype.GetString()!, 40)}, which is not supported");
        if (begin > end || end > dataLength)
            throw Invalid($"tensor {Quote(name)} lies at bytes {begin} to {end} of {dataLength}: the file is cut off or damaged");
        if (StoredTensor.TryCountBytes(type, shape) != end - begin)
            throw Invalid($"tensor {Quote(name)} has {end - begin} bytes, which does not fit its shape");
        if (end - begin > Array.MaxLength)
            throw Invalid($"tensor {Quote(name)} is larger than 2 GB, which is not supported");
        return new Entry(name, type, shape, begin, end);
    }

    private static long[]? ReadIntegers(JsonElement element, string property)
    {
        if (!element.TryGetProperty(property, out var array) || array.ValueKind != JsonValueKind.Array) return null;
        var values = new long[array.GetArrayLength()];
        var i = 0;
        foreach (var item in array.EnumerateArray())
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out values[i]) || values[i++] < 0) return null;
        return values;
    }

    // The format forbids holes and overlaps, so that a file has one reading only.
    private void CheckLayout()
    {
        // Stable: empty tensors at one place keep the header's order.
        Entries = [.. Entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End)];
        var expected = 0L;
        foreach (var entry in Entries)
        {
            if (entry.Begin != expected) throw Invalid($"tensor {Quote(entry.Name)} overlaps another or leaves a hole before it");
            expected = entry.End;
        }
        if (expected != dataLength) throw Invalid($"its tensors end at byte {expected} of {dataLength}");
    }

    private InvalidFileException Invalid(string reason) => new(path, $"is not a valid safetensors file: {reason}");

    private static string Quote(string name) => $"\"{TextForMessage.Quote(name, 120)}\"";
}
