using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>A tensor as a file holds it: bytes in memory, not yet on any device.</summary>
public sealed class StoredTensor
{
    /// <summary>Makes a tensor from its contiguous, row-major, little-endian bytes.</summary>
    /// <exception cref="ArgumentException">The bytes are not as many as the shape needs.</exception>
    public StoredTensor(DType dtype, long[] shape, ReadOnlyMemory<byte> data)
    {
        if (TryCountBytes(dtype, shape) is not { } bytes || bytes != data.Length)
            throw new ArgumentException($"{data.Length} bytes do not make a {dtype} tensor of shape [{string.Join(", ", shape)}]", nameof(data));
        DType = dtype;
        Shape = shape;
        Data = data;
    }

    /// <summary>The type of the elements.</summary>
    public DType DType { get; }

    /// <summary>The size of each dimension; empty for a single number.</summary>
    public long[] Shape { get; }

    /// <summary>The elements: contiguous, row-major, little endian.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>The number of elements.</summary>
    public long ElementCount => Data.Length / DType.ElementSize();

    /// <summary>Makes a float32 tensor.</summary>
    public static StoredTensor FromFloats(float[] values, params long[] shape)
    {
        var bytes = new byte[checked(values.Length * sizeof(float))];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), values[i]);
        return new StoredTensor(DType.Float32, shape, bytes);
    }

    /// <summary>Makes an int64 tensor.</summary>
    public static StoredTensor FromIntegers(long[] values, params long[] shape)
    {
        var bytes = new byte[checked(values.Length * sizeof(long))];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i * sizeof(long)), values[i]);
        return new StoredTensor(DType.Int64, shape, bytes);
    }

    /// <summary>Joins tensors of one type along their first dimension; their other dimensions are equal.</summary>
    public static StoredTensor Concatenate(IReadOnlyList<StoredTensor> parts)
    {
        var joined = new byte[parts.Sum(part => part.Data.Length)];
        var at = 0;
        foreach (var part in parts)
        {
            part.Data.CopyTo(joined.AsMemory(at));
            at += part.Data.Length;
        }
        return new StoredTensor(parts[0].DType, [parts.Sum(part => part.Shape[0]), .. parts[0].Shape[1..]], joined);
    }

    /// <summary>The elements as float32; wider types are rounded to the nearest.</summary>
    public float[] ToFloats()
    {
        var floats = new float[ElementCount];
        switch (DType)
        {
            case DType.Float32: Elements<float>().CopyTo(floats); break;
            case DType.Float16: TensorPrimitives.ConvertToSingle(Elements<Half>(), floats); break;
            case DType.BFloat16: Convert<ushort>(floats, bits => BitConverter.UInt32BitsToSingle((uint)bits << 16)); break;
            case DType.Float64: Convert<double>(floats, value => (float)value); break;
            case DType.Int64: Convert<long>(floats, value => value); break;
            case DType.Int32: Convert<int>(floats, value => value); break;
            case DType.Int16: Convert<short>(floats, value => value); break;
            case DType.Int8: Convert<sbyte>(floats, value => value); break;
            case DType.UInt8: Convert<byte>(floats, value => value); break;
            case DType.Bool: Convert<byte>(floats, value => value == 0 ? 0 : 1); break;
            default: throw new InvalidOperationException($"no conversion from {DType}");
        }
        return floats;
    }

    /// <summary>The bytes that a shape needs, or null when a size is negative or the product too large to count.</summary>
    internal static long? TryCountBytes(DType dtype, ReadOnlySpan<long> shape)
    {
        var empty = false;
        UInt128 bytes = (uint)dtype.ElementSize();
        foreach (var size in shape)
        {
            if (size < 0) return null;
            if (size == 0) empty = true;
            else if ((bytes *= (ulong)size) > long.MaxValue) return null;
        }
        return empty ? 0 : (long)bytes;
    }

    // The file's order of bytes is the machine's: .NET's supported platforms with libtorch are all little endian.
    private ReadOnlySpan<T> Elements<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Data.Span);

    private void Convert<T>(float[] floats, Func<T, float> convert) where T : unmanaged
    {
        var elements = Elements<T>();
        for (var i = 0; i < floats.Length; i++) floats[i] = convert(elements[i]);
    }
}
