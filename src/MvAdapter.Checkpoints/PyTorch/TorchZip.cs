using System.IO.Compression;
using System.IO.Hashing;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// The zip file that a PyTorch file is. Nothing is extracted, entries are only looked up by the names that PyTorch
/// gives them, and what is read never exceeds what the file itself holds.
/// </summary>
internal sealed class TorchZip : IDisposable
{
    private const long MaxPickleBytes = 1 << 26;

    // Views that overlap or repeat their elements are copied out; PyTorch files hold few of them.
    private const long MaxCopiesPerFileByte = 4;
    private const long MinCopyAllowance = 1 << 26;

    private readonly string path;
    private readonly FileStream file;
    private readonly ZipArchive zip;
    private readonly string root;
    private readonly Dictionary<string, byte[]> storages = new(StringComparer.Ordinal);
    private readonly List<(string Entry, Task<bool> IsRight)> checks = [];
    private long bytesRead;
    private long bytesCopied;

    public TorchZip(FileStream file, string path)
    {
        this.path = path;
        this.file = file;
        try
        {
            zip = new ZipArchive(file, ZipArchiveMode.Read);
            const string suffix = "/data.pkl";
            var pickles = zip.Entries.Where(entry => entry.FullName.EndsWith(suffix, StringComparison.Ordinal)).Take(2).ToList();
            if (pickles is not [var pickle]) throw new InvalidFileException(path, "is a zip file, but not one of PyTorch's: it lacks data.pkl");
            root = pickle.FullName[..^suffix.Length];
        }
        catch (InvalidDataException exception)
        {
            throw new InvalidFileException(path, "is cut off or damaged: its zip directory cannot be read; fetch or save it again", exception);
        }
    }

    /// <summary>Entries of the file.</summary>
    public int Count => zip.Entries.Count;

    public void Dispose() => zip.Dispose();

    /// <summary>Refuses a file of which something that was read has not the checksum that the file names for it; computed on other threads meanwhile.</summary>
    public void FinishChecks()
    {
        foreach (var (entry, isRight) in checks)
            if (!isRight.Result) throw new InvalidFileException(path, $"is damaged: its entry {TextForMessage.Quote(entry, 80)} is not what its checksum says; fetch or save the file again");
    }

    /// <summary>Reads all entries; returns how many have a checksum, which was right.</summary>
    public int CheckAll()
    {
        foreach (var entry in zip.Entries)
        {
            if (entry.Length > Array.MaxLength) throw new InvalidFileException(path, $"has an entry {TextForMessage.Quote(entry.FullName, 80)} larger than 2 GB, which is not supported");
            // What unpacks to far more than the file holds is no work of PyTorch's.
            if (entry.Length > MaxPickleBytes && entry.CompressedLength != entry.Length) throw new InvalidFileException(path, $"has an entry {TextForMessage.Quote(entry.FullName, 80)} that is compressed, which PyTorch never does to tensors");
            ReadEntry(entry);
        }
        FinishChecks();
        return zip.Entries.Count(entry => entry.Crc32 != 0 || entry.Length == 0);
    }

    /// <summary>The pickle that describes the content.</summary>
    public byte[] ReadPickle()
    {
        var entry = Entry("data.pkl");
        if (entry.Length > MaxPickleBytes) throw new InvalidFileException(path, $"has a data.pkl of {entry.Length} bytes, too large to describe tensors");
        return ReadEntry(entry);
    }

    /// <summary>Refuses a file whose numbers lie the other way round.</summary>
    public void CheckByteOrder()
    {
        if (zip.GetEntry($"{root}/byteorder") is { Length: 3 } entry && ReadEntry(entry).AsSpan().SequenceEqual("big"u8))
            throw new InvalidFileException(path, "was saved on a big-endian machine, which is not supported; save it again on another");
    }

    /// <summary>Reads a tensor; tensors of one storage share its bytes where they can.</summary>
    public StoredTensor ReadTensor(TorchTensor tensor)
    {
        var storage = ReadStorage(tensor.Storage);
        var elementSize = tensor.Storage.DType.ElementSize();
        if (tensor.IsContiguous)
        {
            var start = tensor.ByteCount > 0 ? (int)(tensor.Offset * elementSize) : 0;
            return new StoredTensor(tensor.Storage.DType, tensor.Shape, storage.AsMemory(start, (int)tensor.ByteCount));
        }
        bytesCopied += tensor.ByteCount;
        if (tensor.ByteCount > Array.MaxLength || bytesCopied > Math.Max(MinCopyAllowance, MaxCopiesPerFileByte * file.Length))
            throw new InvalidFileException(path, "its tensors expand to far more than the file holds");
        return new StoredTensor(tensor.Storage.DType, tensor.Shape, tensor.Gather(storage));
    }

    private byte[] ReadStorage(TorchStorage storage)
    {
        var needed = StoredTensor.TryCountBytes(storage.DType, [storage.ElementCount]);
        if (!storages.TryGetValue(storage.Key, out var bytes))
        {
            var entry = Entry($"data/{storage.Key}");
            if (entry.Length != needed) throw WrongLength(storage, entry.Length);
            // PyTorch stores tensors as they are, so a compressed one is not its work, and may be a zip bomb.
            if (entry.CompressedLength != entry.Length)
                throw new InvalidFileException(path, $"entry data/{TextForMessage.Quote(storage.Key, 40)} is compressed, which PyTorch never does to tensors; save the file again with torch.save");
            if (entry.Length > Array.MaxLength) throw new InvalidFileException(path, "has a storage larger than 2 GB, which is not supported");
            bytes = ReadEntry(entry);
            storages.Add(storage.Key, bytes);
        }
        return bytes.Length == needed ? bytes : throw WrongLength(storage, bytes.Length);
    }

    private InvalidFileException WrongLength(TorchStorage storage, long length) => new(
        path, $"is damaged: entry data/{TextForMessage.Quote(storage.Key, 40)} has {length} bytes, which is not what its tensors need");

    private ZipArchiveEntry Entry(string name) => zip.GetEntry($"{root}/{name}")
        ?? throw new InvalidFileException(path, $"is damaged: it lacks the entry {TextForMessage.Quote(name, 80)}");

    private byte[] ReadEntry(ZipArchiveEntry entry)
    {
        // Entries of a sound file lie side by side, so all those that are stored uncompressed fit into it.
        bytesRead += entry.CompressedLength;
        if (bytesRead > file.Length) throw new InvalidFileException(path, "is damaged: its entries overlap or lie outside it");
        try
        {
            using var stream = entry.Open();
            var bytes = GC.AllocateUninitializedArray<byte>((int)entry.Length);
            stream.ReadExactly(bytes);
            // Zero is what torch.save writes where it was told to compute none.
            if (entry.Crc32 != 0) checks.Add((entry.FullName, Task.Run(() => entry.Crc32 == Crc32.HashToUInt32(bytes))));
            return bytes;
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            throw new InvalidFileException(path, $"is damaged: its entry {TextForMessage.Quote(entry.FullName, 80)} cannot be read", exception);
        }
    }
}
