using System.Diagnostics;

namespace MvAdapter.Torch;

/// <summary>
/// An n-dimensional array in native memory. Freed by <see cref="Dispose"/>, by the <see cref="TensorScope"/> it
/// was made in, or at the latest by the garbage collector. It may be used from any thread.
/// </summary>
[DebuggerDisplay("{ToString(),nq}")]
public sealed unsafe partial class Tensor : IDisposable
{
    private static long living;
    private nint handle;

    internal Tensor(nint handle)
    {
        this.handle = handle;
        Interlocked.Increment(ref living);
        Scope = TensorScope.Adopt(this);
    }

    /// <summary>The safety net for a tensor that nobody freed.</summary>
    ~Tensor() => Free();

    /// <summary>How many tensors of this process have not been freed.</summary>
    public static long Living => Interlocked.Read(ref living);

    internal TensorScope? Scope { get; set; }

    /// <summary>The sizes, outermost first. A scalar has none.</summary>
    public IReadOnlyList<long> Shape => Sizes;

    internal long[] Sizes
    {
        get
        {
            // Asked anew each time: an operator such as aten::resize_ changes them.
            var sizes = new long[Info(out _, out _, out _)];
            var strides = new long[sizes.Length];
            fixed (long* a = sizes, b = strides) NativeMethods.Check(NativeMethods.mvt_tensor_sizes(Handle("shape"), a, b), "shape");
            GC.KeepAlive(this);
            return sizes;
        }
    }

    /// <summary>The number of dimensions.</summary>
    public int Dimensions => (int)Info(out _, out _, out _);

    /// <summary>The size of a dimension; negative counts from the last.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such dimension.</exception>
    public long Size(int dimension)
    {
        var sizes = Sizes;
        return dimension < sizes.Length && dimension >= -sizes.Length
            ? sizes[dimension < 0 ? dimension + sizes.Length : dimension]
            : throw new ArgumentOutOfRangeException(nameof(dimension), $"{Describe()} has no dimension {dimension}");
    }

    /// <summary>The number of elements.</summary>
    public long ElementCount
    {
        get
        {
            var count = 1L;
            foreach (var size in Sizes) count *= size;
            return count;
        }
    }

    /// <summary>The element type.</summary>
    public DType DType
    {
        get
        {
            Info(out var value, out _, out _);
            return (DType)value;
        }
    }

    /// <summary>Where the elements lie.</summary>
    public Device Device
    {
        get
        {
            Info(out _, out var device, out _);
            return Device.Unpack(device);
        }
    }

    /// <summary>Whether the elements lie in row-major order without gaps.</summary>
    public bool IsContiguous => (Flags & 1) != 0;

    /// <summary>Whether the tensor was made in inference mode, and so can never enter training.</summary>
    public bool IsInference => (Flags & 4) != 0;

    /// <summary>Whether the tensor has been freed.</summary>
    public bool IsDisposed => handle == 0;

    /// <summary>
    /// The elements in place: contiguous, in main memory, of the type that fits <see cref="DType"/>
    /// (bfloat16 is read as <see cref="ushort"/>). Valid until the tensor is freed. Who writes into a model's weights this way calls
    /// <see cref="TorchRuntime.EmptyCache"/> afterwards.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another element type, a GPU tensor, gaps between the elements, or more than 2^31 of them.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged
    {
        if (TypeOf(DType) != typeof(T))
            throw new InvalidOperationException($"elements of {Describe()} are read as {TypeOf(DType).Name}, not {typeof(T).Name}");
        if (!Device.IsCpu || !IsContiguous)
            throw new InvalidOperationException($"{Describe()} must be contiguous and on the CPU to be read in place; call ToArray");
        return new Span<T>(Data(), SpanLength(1));
    }

    /// <summary>A copy of the elements in row-major order, from any device.</summary>
    public T[] ToArray<T>() where T : unmanaged
    {
        using var scope = new TensorScope();
        var result = Detach().To(Device.Cpu).Contiguous().AsSpan<T>().ToArray();
        GC.KeepAlive(this);
        return result;
    }

    /// <summary>The elements as float32, whatever their type.</summary>
    public float[] ToFloats()
    {
        using var scope = new TensorScope();
        return Detach().To(DType.Float32).ToArray<float>();
    }

    /// <summary>The one element, as a number.</summary>
    /// <exception cref="InvalidOperationException">There is not exactly one element.</exception>
    public double ToDouble()
    {
        if (ElementCount != 1) throw new InvalidOperationException($"{Describe()} has not exactly one element");
        using var scope = new TensorScope();
        return Detach().To(DType.Float64).ToArray<double>()[0];
    }

    /// <summary>Takes the tensor out of every scope: it lives until <see cref="Dispose"/>. Returns itself.</summary>
    public Tensor Unscoped()
    {
        Scope?.Forget(this);
        Scope = null;
        return this;
    }

    /// <summary>Drops this handle. The memory lives on while a graph or a view needs it.</summary>
    public void Dispose()
    {
        Scope?.Forget(this);
        Scope = null;
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Element type, shape, device, and the elements where they are few or the corners where they are many.</summary>
    public override string ToString() => IsDisposed ? "freed tensor" : $"{Describe()} {TensorPrinter.Elements(this)}";

    internal string Describe() => IsDisposed
        ? "freed tensor"
        : $"{DType.ToString().ToLowerInvariant()}[{string.Join(", ", Sizes)}]{(Device.IsCpu ? "" : $"@{Device}")}";

    internal nint Handle(string user) => handle != 0 ? handle
        : throw new ObjectDisposedException(nameof(Tensor), $"{user}: the tensor was freed (by Dispose or the end of its TensorScope)");

    private void* Data()
    {
        Check(NativeMethods.mvt_tensor_data(Handle("data"), out var data), "data");
        return data;
    }

    /// <summary>How many units a span over all elements has, for so many units an element.</summary>
    private int SpanLength(int unitsPerElement)
    {
        var length = ElementCount * unitsPerElement;
        return length <= Array.MaxLength ? (int)length
            : throw new InvalidOperationException($"{Describe()} is larger than a span or an array can be; read it in parts");
    }

    /// <summary>Turns a failed call about this tensor into an exception that names the call and the tensor.</summary>
    private void Check(int status, string what)
    {
        if (status == 0)
        {
            GC.KeepAlive(this);
            return;
        }
        var reason = NativeMethods.LastError;
        throw new TorchException($"{what}({Describe()}): {reason}");
    }

    private long Flags
    {
        get
        {
            Info(out _, out _, out var flags);
            return flags;
        }
    }

    private long Info(out long type, out long device, out long flags)
    {
        NativeMethods.Check(NativeMethods.mvt_tensor_info(Handle("info"), out type, out var dimensions, out device, out flags), "info");
        GC.KeepAlive(this);
        return dimensions;
    }

    /// <summary>Gives the native handle away; this object is as freed.</summary>
    internal nint Release()
    {
        var released = Interlocked.Exchange(ref handle, 0);
        if (released != 0) Interlocked.Decrement(ref living);
        Dispose();
        return released;
    }

    private void Free()
    {
        var freed = Interlocked.Exchange(ref handle, 0);
        if (freed == 0) return;
        NativeMethods.mvt_tensor_free(freed);
        Interlocked.Decrement(ref living);
    }

    private static Type TypeOf(DType dtype) => dtype switch
    {
        DType.UInt8 => typeof(byte),
        DType.Int8 => typeof(sbyte),
        DType.Int16 => typeof(short),
        DType.Int32 => typeof(int),
        DType.Int64 => typeof(long),
        DType.Float16 => typeof(Half),
        DType.Float32 => typeof(float),
        DType.Float64 => typeof(double),
        DType.Bool => typeof(bool),
        DType.BFloat16 => typeof(ushort),
        _ => throw new NotSupportedException($"element type {dtype} cannot be read from C#"),
    };

    private static DType DTypeOf<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.Float32
        : typeof(T) == typeof(long) ? DType.Int64
        : typeof(T) == typeof(int) ? DType.Int32
        : typeof(T) == typeof(byte) ? DType.UInt8
        : typeof(T) == typeof(bool) ? DType.Bool
        : typeof(T) == typeof(double) ? DType.Float64
        : typeof(T) == typeof(Half) ? DType.Float16
        : typeof(T) == typeof(short) ? DType.Int16
        : typeof(T) == typeof(sbyte) ? DType.Int8
        : throw new NotSupportedException($"{typeof(T).Name} is no element type");
}
