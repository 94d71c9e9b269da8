using System.IO.Compression;
using MvAdapter.Files;

namespace MvAdapter.Checkpoints;

/// <summary>
/// Reads PyTorch files without running any of their code: what <c>torch.save</c> writes (published adapters) and
/// TorchScript modules (OpenAI's CLIP). Writes state dictionaries that <c>torch.load</c> reads.
/// </summary>
public static class TorchArchive
{
    // The date is part of a zip entry; a fixed one makes the same tensors the same file.
    private static readonly DateTimeOffset EntryDate = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>
    /// Reads the tensors by name. A state dictionary may stand alone or under <c>state_dict</c>,
    /// <c>model_state_dict</c> or <c>model</c>; a TorchScript module gives its parameters and buffers by dotted names, and
    /// the integers that are attributes of the module itself as single int64 numbers.
    /// </summary>
    /// <exception cref="InvalidFileException">The file is missing, damaged, of an old format, or asks for code to be run.</exception>
    public static IReadOnlyDictionary<string, StoredTensor> Read(string path)
    {
        CheckKind(path);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        using var zip = new TorchZip(file, path);
        zip.CheckByteOrder();
        var pickle = zip.ReadPickle();
        zip.FinishChecks();
        var root = Pickle.Read(pickle, path, TorchGlobals.All, TorchGlobals.Storage);
        var found = Pickle.Guard(path, () => TorchStateDict.Find(root));
        if (found.Count == 0) throw new InvalidFileException(path, "holds no named tensors; save the model's state_dict()");

        var tensors = new Dictionary<string, StoredTensor>(found.Count, StringComparer.Ordinal);
        foreach (var (name, tensor) in found) tensors.Add(name, zip.ReadTensor(tensor));
        zip.FinishChecks();
        foreach (var (name, value) in TorchStateDict.Integers(root)) tensors.TryAdd(name, StoredTensor.FromIntegers([value]));
        return tensors;
    }

    /// <summary>Reads every entry, and tells how many have a checksum, all of them right, and how many there are.</summary>
    /// <exception cref="InvalidFileException">The file is missing, damaged, or of an old format.</exception>
    public static (int Right, int All) CheckSums(string path)
    {
        CheckKind(path);
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        using var zip = new TorchZip(file, path);
        return (zip.CheckAll(), zip.Count);
    }

    /// <summary>
    /// Writes a state dictionary, whole or not at all. The same tensors always give the same bytes.
    /// </summary>
    public static void Write(string path, IReadOnlyDictionary<string, StoredTensor> tensors)
    {
        var ordered = tensors.OrderBy(pair => pair.Key, StringComparer.Ordinal).ToList();
        var items = ordered.Select((pair, i) => new KeyValuePair<string, object?>(pair.Key, TorchGlobals.Tensor($"{i}", pair.Value)));
        var pickle = PickleWriter.Write(new PickleOrderedDictionary(items));
        AtomicFile.Write(path, stream =>
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            Add(zip, "data.pkl", pickle);
            Add(zip, "byteorder", "little"u8);
            for (var i = 0; i < ordered.Count; i++) Add(zip, $"data/{i}", ordered[i].Value.Data.Span);
            Add(zip, "version", "3\n"u8);
        });
    }

    private static void Add(ZipArchive zip, string name, ReadOnlySpan<byte> bytes)
    {
        var entry = zip.CreateEntry($"archive/{name}", CompressionLevel.NoCompression);
        entry.LastWriteTime = EntryDate;
        using var stream = entry.Open();
        stream.Write(bytes);
    }

    private static void CheckKind(string path)
    {
        using var handle = InputFile.Open(path);
        var start = InputFile.ReadBytes(handle, path, 0, (int)Math.Min(4, RandomAccess.GetLength(handle)));
        if (start is [(byte)'P', (byte)'K', ..]) return;
        throw new InvalidFileException(path, start is [0x80, _, 0x8a, 0x0a]
            ? "is in PyTorch's format of before version 1.6; load it with a current PyTorch and save it again with torch.save"
            : "is not a PyTorch file (those are zip files); is the download complete?");
    }
}
