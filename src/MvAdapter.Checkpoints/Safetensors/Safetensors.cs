using System.Buffers.Binary;
using System.Text.Json;
using MvAdapter.Files;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>What a safetensors file holds.</summary>
/// <param name="Tensors">The tensors by name.</param>
/// <param name="Metadata">Free text by name, such as a run's configuration.</param>
public sealed record SafetensorsFile(
    IReadOnlyDictionary<string, StoredTensor> Tensors,
    IReadOnlyDictionary<string, string> Metadata);

/// <summary>
/// Reads and writes safetensors files. Reading goes tensor by tensor, so that a file may be larger than an array can be. What is written here
/// carries a digest, which is checked whenever such a file is read; files without one load as they are.
/// </summary>
public static class Safetensors
{
    private const int Alignment = 8;

    /// <summary>Reads all tensors and the metadata.</summary>
    /// <exception cref="InvalidFileException">The file is missing, cut off, malformed, or not what its digest says.</exception>
    public static SafetensorsFile Read(string path)
    {
        using var handle = InputFile.Open(path);
        var header = SafetensorsHeader.Read(handle, path);
        var said = header.Metadata.Remove(ContentDigest.Key, out var text) ? text : null;
        var digest = said is null ? null : new ContentDigest(header.Metadata);
        var tensors = new Dictionary<string, StoredTensor>(header.Entries.Count, StringComparer.Ordinal);
        foreach (var entry in header.Entries)
        {
            var bytes = InputFile.ReadBytes(handle, path, header.DataStart + entry.Begin, (int)(entry.End - entry.Begin));
            digest?.Add(entry.Name, entry.DType, entry.Shape, bytes);
            tensors.Add(entry.Name, new StoredTensor(entry.DType, entry.Shape, bytes));
        }
        if (digest is not null && digest.Finish() != said) throw new InvalidFileException(path, "is damaged: its content is not what its digest says; fetch, copy or make it again");
        return new SafetensorsFile(tensors, header.Metadata);
    }

    /// <summary>Whether the file carries a digest of its content, which <see cref="Read"/> checks.</summary>
    /// <exception cref="InvalidFileException">The file is missing, cut off or malformed.</exception>
    public static bool HasDigest(string path)
    {
        using var handle = InputFile.Open(path);
        return SafetensorsHeader.Read(handle, path).Metadata.ContainsKey(ContentDigest.Key);
    }

    /// <summary>Reads the metadata alone: the header, none of the tensors.</summary>
    /// <exception cref="InvalidFileException">The file is missing, cut off or malformed.</exception>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path)
    {
        using var handle = InputFile.Open(path);
        return SafetensorsHeader.Read(handle, path).Metadata;
    }

    /// <summary>
    /// Writes a file, whole or not at all. The same tensors and metadata always give the same bytes.
    /// </summary>
    public static void Write(
        string path,
        IReadOnlyDictionary<string, StoredTensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        // Wide elements first: each tensor then starts at a multiple of its element size, which memory mapping needs.
        var ordered = tensors
            .OrderByDescending(pair => pair.Value.DType.ElementSize())
            .ThenBy(pair => pair.Key, StringComparer.Ordinal)
            .ToList();
        var digest = new ContentDigest(metadata ?? new Dictionary<string, string>());
        foreach (var (name, tensor) in ordered) digest.Add(name, tensor.DType, tensor.Shape, tensor.Data);
        var header = Header(ordered, new Dictionary<string, string>(metadata ?? new Dictionary<string, string>()) { [ContentDigest.Key] = digest.Finish() });
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach (var (_, tensor) in ordered) stream.Write(tensor.Data.Span);
        });
    }

    private static byte[] Header(List<KeyValuePair<string, StoredTensor>> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        buffer.Write(stackalloc byte[sizeof(ulong)]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            var offset = 0L;
            foreach (var (name, tensor) in tensors)
            {
                if (name == "__metadata__") throw new ArgumentException("a tensor cannot be called __metadata__", nameof(tensors));
                json.WriteStartObject(name);
                json.WriteString("dtype", SafetensorsTypes.NameOf(tensor.DType));
                WriteIntegers(json, "shape", tensor.Shape);
                WriteIntegers(json, "data_offsets", [offset, offset += tensor.Data.Length]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        var bytes = buffer.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)(bytes.Length - sizeof(ulong)));
        return bytes;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string> metadata)
    {
        json.WriteStartObject("__metadata__");
        foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(key, value);
        json.WriteEndObject();
    }

    private static void WriteIntegers(Utf8JsonWriter json, string name, ReadOnlySpan<long> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }
}
