using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>A storage of a PyTorch file: the entry that holds it and what its elements are.</summary>
internal sealed record TorchStorage(string Key, DType DType, long ElementCount);

/// <summary>A tensor of a PyTorch file as its pickle describes it: a view of a storage, not read yet.</summary>
internal sealed class TorchTensor
{
    private const int MaxDimensions = 64;

    /// <summary>Checks that the view lies within the storage.</summary>
    /// <exception cref="ArgumentException">It does not.</exception>
    public TorchTensor(TorchStorage storage, long offset, long[] shape, long[] strides)
    {
        if (shape.Length != strides.Length || shape.Length > MaxDimensions || StoredTensor.TryCountBytes(storage.DType, shape) is not { } bytes)
            throw new ArgumentException($"a tensor of storage {storage.Key} has a malformed shape");
        var end = (Int128)offset + (bytes > 0 ? 1 : 0);
        for (var i = 0; i < shape.Length && bytes > 0; i++) end += (Int128)(shape[i] - 1) * strides[i];
        if (offset < 0 || strides.Any(stride => stride < 0) || end > storage.ElementCount)
            throw new ArgumentException($"a tensor reaches beyond its storage {storage.Key}");
        Storage = storage;
        Offset = offset;
        Shape = shape;
        Strides = strides;
        ByteCount = bytes;
    }

    /// <summary>Where the elements lie.</summary>
    public TorchStorage Storage { get; }

    /// <summary>The first element's index in the storage.</summary>
    public long Offset { get; }

    /// <summary>The size of each dimension.</summary>
    public long[] Shape { get; }

    /// <summary>How far apart neighbours in each dimension lie, in elements.</summary>
    public long[] Strides { get; }

    /// <summary>The bytes of the elements when they lie side by side.</summary>
    public long ByteCount { get; }

    /// <summary>Whether the elements lie in the storage in row-major order already.</summary>
    public bool IsContiguous
    {
        get
        {
            var expected = 1L;
            for (var i = Shape.Length - 1; i >= 0 && ByteCount > 0; i--)
            {
                if (Shape[i] != 1 && Strides[i] != expected) return false;
                expected *= Shape[i];
            }
            return true;
        }
    }

    /// <summary>The strides of a row-major tensor.</summary>
    public static long[] RowMajorStrides(long[] shape)
    {
        var strides = new long[shape.Length];
        var stride = 1L;
        for (var i = shape.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride *= Math.Max(shape[i], 1);
        }
        return strides;
    }

    /// <summary>Copies the elements out of the storage in row-major order.</summary>
    public byte[] Gather(ReadOnlySpan<byte> storage)
    {
        var elementSize = Storage.DType.ElementSize();
        var gathered = new byte[ByteCount];
        var index = new long[Shape.Length];
        var source = Offset;
        for (var done = 0; done < gathered.Length; done += elementSize)
        {
            storage.Slice((int)(source * elementSize), elementSize).CopyTo(gathered.AsSpan(done));
            for (var i = Shape.Length - 1; i >= 0; i--)
            {
                source += Strides[i];
                if (++index[i] < Shape[i]) break;
                source -= Strides[i] * Shape[i];
                index[i] = 0;
            }
        }
        return gathered;
    }
}
