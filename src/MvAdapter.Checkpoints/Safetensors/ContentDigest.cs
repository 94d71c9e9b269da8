using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// The digest that safetensors files written here carry among their metadata: XXH128 over all names, types, shapes, texts and the XXH128 of
/// each tensor's bytes. It finds what a disk or a transfer has changed; it is no signature.
/// </summary>
internal sealed class ContentDigest
{
    /// <summary>The digest's place in the metadata.</summary>
    public const string Key = "mvadapter.xxh128";

    private readonly XxHash128 hash = new();
    private readonly List<Task<UInt128>> pending = [];

    /// <summary>Begins with the metadata, but for the digest itself.</summary>
    public ContentDigest(IEnumerable<KeyValuePair<string, string>> metadata)
    {
        foreach (var (key, value) in metadata.Where(item => item.Key != Key).OrderBy(item => item.Key, StringComparer.Ordinal))
        {
            Add(key);
            Add(value);
        }
    }

    /// <summary>A tensor, in the order in which the file holds it. Its bytes are hashed on other threads meanwhile, and may not change.</summary>
    public void Add(string name, DType type, ReadOnlySpan<long> shape, ReadOnlyMemory<byte> data)
    {
        Add(name);
        hash.Append(MemoryMarshal.AsBytes([(long)type, shape.Length, .. shape]));
        pending.Add(Task.Run(() => XxHash128.HashToUInt128(data.Span)));
    }

    /// <summary>The digest of all that was added, 32 hexadecimal digits.</summary>
    public string Finish()
    {
        foreach (var data in pending) hash.Append(MemoryMarshal.AsBytes([data.Result]));
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private void Add(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        hash.Append(MemoryMarshal.AsBytes([(long)bytes.Length]));
        hash.Append(bytes);
    }
}
