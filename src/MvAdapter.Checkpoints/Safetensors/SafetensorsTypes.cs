using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>The format's names of the element types.</summary>
internal static class SafetensorsTypes
{
    private static readonly Dictionary<DType, string> Names = new()
    {
        [DType.Float64] = "F64",
        [DType.Float32] = "F32",
        [DType.Float16] = "F16",
        [DType.BFloat16] = "BF16",
        [DType.Int64] = "I64",
        [DType.Int32] = "I32",
        [DType.Int16] = "I16",
        [DType.Int8] = "I8",
        [DType.UInt8] = "U8",
        [DType.Bool] = "BOOL",
    };

    private static readonly Dictionary<string, DType> Types =
        Names.ToDictionary(pair => pair.Value, pair => pair.Key, StringComparer.Ordinal);

    /// <summary>The name of an element type.</summary>
    public static string NameOf(DType dtype) => Names[dtype];

    /// <summary>The element type of a name, or null for one that is not supported.</summary>
    public static DType? TryParse(string name) => Types.TryGetValue(name, out var dtype) ? dtype : null;
}
