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
    public static implicit operator TensorIndex(int index) => new(Kind.Integer, index < 0 ? ^-index : index);
    /// <summary>One index.</summary>
    public static implicit operator TensorIndex(Index index) => new(Kind.Integer, index);
    /// <summary>A part of the dimension.</summary>
    public static implicit operator TensorIndex(Range range) => new(Kind.Range, range: range);
    /// <summary>Rows by number, or by a mask.</summary>
    public static implicit operator TensorIndex(Tensor tensor) => new(Kind.Tensor, tensor: tensor);

    internal static Tensor Apply(Tensor source, ReadOnlySpan<TensorIndex> indices)
    {
        var named = 0;
        foreach (var item in indices) if (item.kind is not (Kind.NewAxis or Kind.Ellipsis)) named++;
        if (named > source.Dimensions)
            throw new ArgumentException($"{named} indices for {source.Describe()}", nameof(indices));

        var result = source;
        var dimension = 0;
        var picks = new List<(int Dimension, Tensor Rows)>();
        foreach (var item in indices)
        {
            switch (item.kind)
            {
                case Kind.Integer:
                    result = result.Select(dimension, Position(result, dimension, item.index));
                    break;
                case Kind.Range:
                    // As in NumPy, a range is cut to the dimension.
                    var size = result.Size(dimension);
                    var start = Math.Clamp(At(item.range.Start, size), 0, size);
                    var end = Math.Clamp(At(item.range.End, size), start, size);
                    result = result.Narrow(dimension++, start, end - start);
                    break;
                case Kind.NewAxis:
                    result = result.Unsqueeze(dimension++);
                    break;
                case Kind.Ellipsis:
                    dimension += source.Dimensions - named;
                    break;
                case Kind.Tensor:
                    picks.Add((dimension, item.tensor!));
                    dimension += item.tensor!.DType == DType.Bool ? item.tensor.Dimensions : 1;
                    break;
            }
        }
        if (picks.Count == 0) return ReferenceEquals(result, source) ? source.View(source.Sizes) : result;
        var list = new Tensor?[picks.Max(pick => pick.Dimension) + 1];
        foreach (var (at, rows) in picks) list[at] = rows;
        return Operator.Call("aten::index.Tensor", result, list);
    }

    private static long Position(Tensor source, int dimension, Index index)
    {
        var size = source.Size(dimension);
        var position = At(index, size);
        return position >= 0 && position < size ? position
            : throw new ArgumentOutOfRangeException(nameof(index), $"index {index} is outside dimension {dimension} of {source.Describe()}");
    }

    private static long At(Index index, long size) => index.IsFromEnd ? size - index.Value : index.Value;
}
