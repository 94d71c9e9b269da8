using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter;

/// <summary>
/// Matrices as whole numbers from -127 to 127 with a scale for each row, which is an output channel: value = number * scale.
/// Rows differ in size, so one scale for all would cost the small ones their digits.
/// </summary>
internal static class Int8Packing
{
    private const int Largest = sbyte.MaxValue;

    // Below that the scale, four bytes, takes more than a quarter of what the narrower numbers save.
    private const int ShortestRow = 16;

    /// <summary>Whether a tensor is worth it: rows long enough for a scale of their own.</summary>
    public static bool Suits(StoredTensor tensor) =>
        tensor.DType.IsFloatingPoint() && tensor.Shape.Length >= 2 && tensor.Shape[0] > 0 && tensor.ElementCount / tensor.Shape[0] >= ShortestRow;

    /// <summary>The numbers, in the tensor's shape, and the scales [rows].</summary>
    public static (StoredTensor Numbers, StoredTensor Scales) Pack(StoredTensor tensor)
    {
        var values = tensor.ToFloats();
        var numbers = new sbyte[values.Length];
        var scales = new float[tensor.Shape[0]];
        var length = values.Length / scales.Length;
        for (var row = 0; row < scales.Length; row++)
        {
            var from = values.AsSpan(row * length, length);
            var scale = Math.Abs(TensorPrimitives.MaxMagnitude<float>(from)) / Largest;
            if (scale == 0) continue;
            scales[row] = scale;
            for (var i = 0; i < length; i++) numbers[row * length + i] = (sbyte)Math.Clamp(MathF.Round(from[i] / scale), -Largest, Largest);
        }
        return (new StoredTensor(DType.Int8, tensor.Shape, MemoryMarshal.AsBytes<sbyte>(numbers).ToArray()), StoredTensor.FromFloats(scales, scales.Length));
    }

    /// <summary>The values in float32; null when the scales are not those of this tensor.</summary>
    public static StoredTensor? Unpack(StoredTensor numbers, StoredTensor scales)
    {
        if (scales.DType != DType.Float32 || numbers.Shape.Length == 0 || scales.Shape is not [var rows] || rows != numbers.Shape[0]) return null;
        var values = numbers.ToFloats();
        var factors = scales.ToFloats();
        for (var row = 0; row < factors.Length; row++)
        {
            if (!float.IsFinite(factors[row]) || factors[row] < 0) return null;
            var length = values.Length / factors.Length;
            var span = values.AsSpan(row * length, length);
            TensorPrimitives.Multiply(span, factors[row], span);
        }
        return StoredTensor.FromFloats(values, numbers.Shape);
    }
}
