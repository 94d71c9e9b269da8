namespace MvAdapter.Torch;

public sealed partial class Tensor
{
    /// <summary>The sum of all elements.</summary>
    public Tensor Sum() => Operator.Call("aten::sum", this);
    /// <summary>The sum over dimensions.</summary>
    public Tensor Sum(long[] dimensions, bool keep = false) => Operator.Call("aten::sum.dim_IntList", this, dimensions, keep);
    /// <summary>The mean of all elements.</summary>
    public Tensor Mean() => Operator.Call("aten::mean", this);
    /// <summary>The mean over dimensions.</summary>
    public Tensor Mean(long[] dimensions, bool keep = false) => Operator.Call("aten::mean.dim", this, dimensions, keep);
    /// <summary>The largest element.</summary>
    public Tensor Max() => Operator.Call("aten::max", this);
    /// <summary>The place of the largest element along a dimension.</summary>
    public Tensor ArgMax(long dimension, bool keep = false) => Operator.Call("aten::argmax", this, dimension, keep);
    /// <summary>The Euclidean norm of all elements.</summary>
    public Tensor Norm() => Operator.Call("aten::norm.Scalar", this);
    /// <summary>The Euclidean norm along a dimension, which stays with size 1.</summary>
    public Tensor Norm(long dimension) => Operator.Call("aten::norm.ScalarOpt_dim", this, 2.0, new[] { dimension }, true);
    /// <summary>Whether all elements are true.</summary>
    public bool All()
    {
        using var scope = new TensorScope();
        return Operator.Call("aten::all", this).ToDouble() != 0;
    }
    /// <summary>Whether shape and every element are the same.</summary>
    public bool SameAs(Tensor other) => Operator.CallScalar("aten::equal", this, other) != 0;
}
