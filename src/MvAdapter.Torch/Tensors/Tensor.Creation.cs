namespace MvAdapter.Torch;

public sealed partial class Tensor
{
    /// <summary>A tensor of zeros.</summary>
    public static Tensor Zeros(long[] shape, DType dtype = DType.Float32, Device? device = null) =>
        Operator.Call("aten::zeros", shape, dtype, Argument.None, device);

    /// <summary>A tensor of ones.</summary>
    public static Tensor Ones(long[] shape, DType dtype = DType.Float32, Device? device = null) =>
        Operator.Call("aten::ones", shape, dtype, Argument.None, device);

    /// <summary>A tensor of one value.</summary>
    public static Tensor Full(long[] shape, double value, DType dtype = DType.Float32, Device? device = null) =>
        Operator.Call("aten::full", shape, value, dtype, Argument.None, device);

    /// <summary>A tensor whose elements are whatever the memory held.</summary>
    public static Tensor Empty(long[] shape, DType dtype = DType.Float32, Device? device = null) =>
        Operator.Call("aten::empty.memory_format", shape, dtype, Argument.None, device);

    /// <summary>The integers from 0 to end - 1.</summary>
    public static Tensor Arange(long end, Device? device = null) =>
        Operator.Call("aten::arange", end, DType.Int64, Argument.None, device);

    /// <summary>Independent draws from N(0, 1).</summary>
    public static Tensor RandN(long[] shape, Generator? generator = null, Device? device = null) =>
        Operator.Call("aten::randn.generator", shape, generator, DType.Float32, Argument.None, device);

    /// <summary>Independent draws from the uniform distribution over [0, 1).</summary>
    public static Tensor Rand(long[] shape, Generator? generator = null, Device? device = null) =>
        Operator.Call("aten::rand.generator", shape, generator, DType.Float32, Argument.None, device);

    /// <summary>A tensor in main memory with a copy of the elements, row-major.</summary>
    /// <exception cref="ArgumentException">The shape does not hold that many elements.</exception>
    public static Tensor From<T>(ReadOnlySpan<T> elements, params long[] shape) where T : unmanaged
    {
        if (!Holds(shape, elements.Length))
            throw new ArgumentException($"{elements.Length} elements do not fill [{string.Join(", ", shape)}]", nameof(shape));
        var tensor = Empty(shape, DTypeOf<T>());
        elements.CopyTo(tensor.AsSpan<T>());
        return tensor;
    }

    /// <inheritdoc cref="From{T}(ReadOnlySpan{T}, long[])"/>
    public static Tensor From<T>(T[] elements, params long[] shape) where T : unmanaged => From((ReadOnlySpan<T>)elements, shape);

    /// <summary>A tensor from raw little-endian bytes of the element type, row-major.</summary>
    /// <exception cref="ArgumentException">The byte count does not fit shape and type.</exception>
    public static unsafe Tensor FromBytes(ReadOnlySpan<byte> bytes, DType dtype, params long[] shape)
    {
        var (count, rest) = Math.DivRem(bytes.Length, dtype.ElementSize());
        if (rest != 0 || !Holds(shape, count))
            throw new ArgumentException($"{bytes.Length} bytes do not fill {dtype.ToString().ToLowerInvariant()}[{string.Join(", ", shape)}]", nameof(bytes));
        var tensor = Empty(shape, dtype);
        bytes.CopyTo(new Span<byte>(tensor.Data(), bytes.Length));
        return tensor;
    }

    /// <summary>The elements' raw bytes, row-major, from any device.</summary>
    public unsafe byte[] ToBytes()
    {
        using var scope = new TensorScope();
        var tensor = Detach().To(Device.Cpu).Contiguous();
        return new ReadOnlySpan<byte>(tensor.Data(), tensor.SpanLength(tensor.DType.ElementSize())).ToArray();
    }

    // Before anything is allocated: a shape read from a file may be absurd.
    private static bool Holds(long[] shape, int count)
    {
        var product = Int128.One;
        foreach (var size in shape)
        {
            if (size < 0 || product > long.MaxValue) return false;
            product *= size;
        }
        return product == count;
    }
}
