namespace MvAdapter.Torch;

/// <summary>One index of a tensor's indexer: an integer, a range, a tensor, a new axis or an ellipsis.</summary>
public readonly struct TensorIndex
{
    private enum Kind { Integer, Range, Tensor, NewAxis, Ellipsis }

    private readonly Kind kind;
    private readonly Index index;
    private readonly Range range;
    private readonly Tensor? tensor;

    private TensorIndex(Kind kind, Index index = default, Range range = default, Tensor? tensor = null) =>
        (this.kind, this.index, this.range, this.tensor) = (kind, index, range, tensor);

    /// <summary>A new dimension of size 1.</summary>
    public static TensorIndex NewAxis => new(Kind.NewAxis);

    /// <summary>All dimensions that the other indices do not name.</summary>
    public static TensorIndex Ellipsis => new(Kind.Ellipsis);

    /// <summary>One index; negative counts from the end.</summary>
    public static implicit operator TensorIndex(int index) => new(Kind.Integer, index < 0 ? new Index(index == int.MinValue ? int.MaxValue : -index, fromEnd: true) : index);
    /// <summary>One index.</summary>
    public static implicit operator TensorIndex(Index index) => new(Kind.Integer, index);
    /// <summary>A part of the dimension.</summary>
    public static implicit operator TensorIndex(Range range) => new(Kind.Range, range: range);
    /// <summary>Rows by number, or by a mask.</summary>
    public static implicit operator TensorIndex(Tensor tensor) => new(Kind.Tensor, tensor: tensor);

    /// <summary>How many dimensions of the tensor it takes.</summary>
    private int Width => kind switch
    {
        Kind.NewAxis or Kind.Ellipsis => 0,
        Kind.Tensor when tensor!.DType == DType.Bool => tensor.Dimensions,
        _ => 1,
    };

    internal static Tensor Apply(Tensor source, ReadOnlySpan<TensorIndex> indices)
    {
        var (named, ellipses) = (0, 0);
        foreach (ref readonly var item in indices)
        {
            named += item.Width;
            if (item.kind == Kind.Ellipsis) ellipses++;
        }
        if (named > source.Dimensions)
            throw new ArgumentException($"indices for {named} dimensions of {source.Describe()}", nameof(indices));
        if (ellipses > 1)
            throw new ArgumentException($"more than one ellipsis for {source.Describe()}", nameof(indices));

        using var scope = new TensorScope();
        var result = Operator.Call("aten::alias", source);
        var (from, to) = (0, 0); // the next dimension of the source, and of the result
        var picks = new List<Tensor?>(); // an entry for a dimension of the result; a mask's entry stands for all of its own
        var picked = 0;
        foreach (ref readonly var item in indices)
        {
            switch (item.kind)
            {
                case Kind.Integer:
                    result = result.Select(to, Position(source, from, item.index));
                    break;
                case Kind.Range:
                    // As in NumPy, a range is cut to the dimension.
                    var size = source.Size(from);
                    var start = Math.Clamp(At(item.range.Start, size), 0, size);
                    var end = Math.Clamp(At(item.range.End, size), start, size);
                    result = result.Narrow(to++, start, end - start);
                    break;
                case Kind.NewAxis:
                    result = result.Unsqueeze(to++);
                    break;
                case Kind.Ellipsis:
                    from += source.Dimensions - named;
                    to += source.Dimensions - named;
                    break;
                case Kind.Tensor:
                    for (; picked < to; picked++) picks.Add(null);
                    picks.Add(Rows(item.tensor!));
                    picked = to += item.Width;
                    break;
            }
            from += item.Width;
        }
        return scope.Keep(picks.Count == 0 ? result : Operator.Call("aten::index.Tensor", result, picks.ToArray()));
    }

    // libtorch would take bytes for a mask, with a warning on the standard error.
    private static Tensor Rows(Tensor tensor) => tensor.DType is DType.Int64 or DType.Bool ? tensor
        : throw new ArgumentException($"{tensor.Describe()} is no index: numbers are int64, a mask is bool", nameof(tensor));

    private static long Position(Tensor source, int dimension, Index index)
    {
        var size = source.Size(dimension);
        var position = At(index, size);
        return position >= 0 && position < size ? position
            : throw new ArgumentOutOfRangeException(nameof(index), $"index {index} is outside dimension {dimension} of {source.Describe()}");
    }

    private static long At(Index index, long size) => index.IsFromEnd ? size - index.Value : index.Value;
}
