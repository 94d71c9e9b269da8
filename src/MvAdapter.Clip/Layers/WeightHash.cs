using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// A short name for a set of weights: the beginning of a SHA-256 over names, shapes and values. Values count as bfloat16,
/// so that weights have the same name whatever precision they are stored or run in.
/// </summary>
public static class WeightHash
{
    private const int Bytes = 8;

    /// <summary>16 hexadecimal digits. The order of the weights counts.</summary>
    /// <param name="kind">What beside the weights decides the result, such as the number of attention heads.</param>
    /// <param name="weights">The weights by name.</param>
    public static string Of(string kind, IEnumerable<KeyValuePair<string, Tensor>> weights)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(kind);
        foreach (var (name, weight) in weights)
        {
            using var scope = new TensorScope();
            Append($"{name}[{string.Join(',', weight.Shape)}]");
            hash.AppendData(MemoryMarshal.AsBytes(weight.Detach().To(Device.Cpu).To(DType.BFloat16).Contiguous().AsSpan<ushort>()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, Bytes));

        void Append(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
    }
}
