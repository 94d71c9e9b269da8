namespace MvAdapter.Torch;

/// <summary>
/// One operation over many tensors, element by element of the lists: on a GPU a few kernels for all of them instead of one for each, which
/// for hundreds of small parameters is most of the time.
/// </summary>
public static class TensorList
{
    /// <summary>The Euclidean norm of each, as scalars.</summary>
    public static Tensor[] Norms(Tensor[] tensors) => Call("aten::_foreach_norm.Scalar", tensors);

    /// <summary>x *= factor.</summary>
    public static void MultiplyInPlace(Tensor[] tensors, double factor) => Operator.CallMany("aten::_foreach_mul_.Scalar", tensors, factor);

    /// <summary>x *= factor, each with a factor of its own, a scalar.</summary>
    public static void MultiplyInPlace(Tensor[] tensors, Tensor[] factors) => Operator.CallMany("aten::_foreach_mul_.List", tensors, factors);

    /// <summary>x += value.</summary>
    public static void AddInPlace(Tensor[] tensors, double value) => Operator.CallMany("aten::_foreach_add_.Scalar", tensors, value);

    /// <summary>x += factor * other.</summary>
    public static void AddInPlace(Tensor[] tensors, Tensor[] others, double factor) => Operator.CallMany("aten::_foreach_add_.List", tensors, others, factor);

    /// <summary>x += factor * a * b.</summary>
    public static void AddProductInPlace(Tensor[] tensors, Tensor[] a, Tensor[] b, double factor) =>
        Operator.CallMany("aten::_foreach_addcmul_.Scalar", tensors, a, b, factor);

    /// <summary>The root of each number.</summary>
    public static Tensor[] Sqrt(Tensor[] tensors) => Call("aten::_foreach_sqrt", tensors);

    /// <summary>a / b.</summary>
    public static Tensor[] Divide(Tensor[] a, Tensor[] b) => Call("aten::_foreach_div.List", a, b);

    private static Tensor[] Call(string name, params ReadOnlySpan<Argument> arguments) => [.. Operator.CallMany(name, arguments).OfType<Tensor>()];
}
