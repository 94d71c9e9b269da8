using System.Globalization;

namespace MvAdapter.Torch;

/// <summary>Where a tensor lies: <c>cpu</c>, or <c>cuda:index</c>.</summary>
public readonly record struct Device
{
    private const long CudaType = 1;
    private const int MaximumIndex = sbyte.MaxValue; // libtorch keeps it in one signed byte
    private readonly long type;
    private readonly int index;

    private Device(long type, int index) => (this.type, this.index) = (type, index);

    /// <summary>Main memory.</summary>
    public static Device Cpu => new(0, 0);

    /// <summary>The GPU of that number.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is negative or above 127.</exception>
    public static Device Cuda(int index = 0) => index is >= 0 and <= MaximumIndex ? new(CudaType, index)
        : throw new ArgumentOutOfRangeException(nameof(index), $"a GPU's number is 0 to {MaximumIndex}, not {index}");

    /// <summary>Whether the tensor lies in main memory.</summary>
    public bool IsCpu => type == 0;

    /// <summary>Whether the tensor lies on a GPU.</summary>
    public bool IsCuda => type == CudaType;

    /// <summary>The GPU's number; 0 for main memory.</summary>
    public int Index => index;

    internal long Type => type;

    // The CPU has no index in libtorch (-1), which is what its own tensors carry.
    internal long Packed => (type << 32) | (IsCpu ? 0xff : (long)index);

    internal static Device Unpack(long packed) =>
        new(packed >> 32, packed >> 32 == 0 ? 0 : (int)(sbyte)(packed & 0xff));

    /// <summary>Reads <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</summary>
    /// <exception cref="FormatException">The text names no device.</exception>
    public static Device Parse(string text) => text switch
    {
        "cpu" => Cpu,
        "cuda" => Cuda(),
        _ when text.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            && index <= MaximumIndex => Cuda(index),
        _ => throw new FormatException($"'{text}' is no device; use cpu, cuda or cuda:N"),
    };

    /// <inheritdoc/>
    public override string ToString() => IsCpu ? "cpu" : $"cuda:{index}";
}
