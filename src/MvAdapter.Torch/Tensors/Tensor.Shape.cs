namespace MvAdapter.Torch;

public sealed partial class Tensor
{
    /// <summary>The same elements in another shape; -1 once, for what is left.</summary>
    public Tensor Reshape(params long[] shape) => Operator.Call("aten::reshape", this, shape);
    /// <summary>A view of another shape; the strides must allow it.</summary>
    public Tensor View(params long[] shape) => Operator.Call("aten::view", this, shape);
    /// <summary>The dimensions in another order.</summary>
    public Tensor Permute(params long[] order) => Operator.Call("aten::permute", this, order);
    /// <summary>Two dimensions exchanged.</summary>
    public Tensor Transpose(long a, long b) => Operator.Call("aten::transpose.int", this, a, b);
    /// <summary>A matrix's transpose.</summary>
    public Tensor T() => Operator.Call("aten::t", this);
    /// <summary>A new dimension of size 1.</summary>
    public Tensor Unsqueeze(long dimension) => Operator.Call("aten::unsqueeze", this, dimension);
    /// <summary>Drops a dimension of size 1.</summary>
    public Tensor Squeeze(long dimension) => Operator.Call("aten::squeeze.dim", this, dimension);
    /// <summary>Repeats dimensions of size 1 without copying; -1 leaves one as it is.</summary>
    public Tensor Expand(params long[] shape) => Operator.Call("aten::expand", this, shape);
    /// <summary>Merges dimensions first to last.</summary>
    public Tensor Flatten(long first = 0, long last = -1) => Operator.Call("aten::flatten.using_ints", this, first, last);
    /// <summary>A range of one dimension.</summary>
    public Tensor Narrow(long dimension, long start, long length) => Operator.Call("aten::narrow", this, dimension, start, length);
    /// <summary>One index of a dimension, which goes away.</summary>
    public Tensor Select(long dimension, long index) => Operator.Call("aten::select.int", this, dimension, index);
    /// <summary>The elements at the indices (int64, of the result's shape) along a dimension.</summary>
    public Tensor Gather(long dimension, Tensor indices) => Operator.Call("aten::gather", this, dimension, indices);

    /// <summary>This with the elements of a source added at the indices along a dimension: each to where indices of its own shape (int64) say.</summary>
    public Tensor ScatterAdd(long dimension, Tensor indices, Tensor source) => Operator.Call("aten::scatter_add", this, dimension, indices, source);

    /// <summary>The indices that sort a dimension (int64); those of equal elements stand in their order.</summary>
    public Tensor ArgSort(long dimension, bool descending) =>
        Operator.CallMany("aten::sort.stable", this, true, dimension, descending)[1] ?? throw new TorchException("sort returned no indices");

    /// <summary>The rows of a dimension named by an integer tensor.</summary>
    public Tensor IndexSelect(long dimension, Tensor indices) => Operator.Call("aten::index_select", this, dimension, indices);

    /// <summary>A copy in which the entries at the given positions (int64 [K]) of a dimension are those of another tensor, each position once.</summary>
    public Tensor IndexCopy(long dimension, Tensor indices, Tensor source) => Operator.Call("aten::index_copy", this, dimension, indices, source);
    /// <summary>The parts along a dimension, without it.</summary>
    public Tensor[] Unbind(long dimension = 0) => Operator.CallMany("aten::unbind.int", this, dimension)!;
    /// <summary>Cut into pieces of a size (the last may be smaller).</summary>
    public Tensor[] Split(long size, long dimension = 0) => Operator.CallMany("aten::split.Tensor", this, size, dimension)!;
    /// <summary>Cut into pieces of given sizes.</summary>
    public Tensor[] Split(long[] sizes, long dimension = 0) => Operator.CallMany("aten::split_with_sizes", this, sizes, dimension)!;
    /// <summary>Joined along an existing dimension.</summary>
    public static Tensor Concatenate(Tensor[] tensors, long dimension = 0) => Operator.Call("aten::cat", tensors, dimension);
    /// <summary>Joined along a new dimension.</summary>
    public static Tensor Stack(Tensor[] tensors, long dimension = 0) => Operator.Call("aten::stack", tensors, dimension);
    /// <summary>A copy in row-major order, or the tensor itself when it is so already.</summary>
    public Tensor Contiguous() => Operator.Call("aten::contiguous", this);
    /// <summary>A copy with memory of its own.</summary>
    public Tensor Clone() => Operator.Call("aten::clone", this);
    /// <summary>The same elements outside the graph.</summary>
    public Tensor Detach() => Operator.Call("aten::detach", this);
    /// <summary>In another element type (itself when it is so already).</summary>
    public Tensor To(DType target) => Operator.Call("aten::to.dtype", this, target);
    /// <summary>On another device (itself when it is there already).</summary>
    public Tensor To(Device target) => Operator.Call("aten::to.device", this, target, DType);
    /// <summary>
    /// The same on a device for data of the host. To a GPU it goes through page-locked memory and nobody waits for it: what is asked of the
    /// copy is queued behind it.
    /// </summary>
    public Tensor Upload(Device target) => target.IsCuda
        ? Operator.Call("aten::to.device", Operator.Call("aten::pin_memory", this), target, DType, /*nonBlocking*/ true)
        : To(target);
    /// <summary>The lower triangle of a matrix, the rest zero.</summary>
    public Tensor LowerTriangle(long diagonal = 0) => Operator.Call("aten::tril", this, diagonal);
    /// <summary>The upper triangle of a matrix, the rest zero.</summary>
    public Tensor UpperTriangle(long diagonal = 0) => Operator.Call("aten::triu", this, diagonal);

    /// <summary>
    /// Selects as NumPy does: an integer takes one index, a range a part, a tensor of integers or truth values
    /// picks rows, <see cref="TensorIndex.NewAxis"/> adds a dimension, <see cref="TensorIndex.Ellipsis"/> skips to the last ones.
    /// </summary>
    /// <exception cref="ArgumentException">More indices than dimensions.</exception>
    public Tensor this[params ReadOnlySpan<TensorIndex> indices] => TensorIndex.Apply(this, indices);
}
