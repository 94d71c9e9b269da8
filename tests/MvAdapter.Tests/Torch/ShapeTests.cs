using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class ShapeTests
{
    private static Tensor Counted(params long[] shape) => Tensor.Arange(shape.Aggregate(1L, (a, b) => a * b)).Reshape(shape);

    [Fact]
    public void Reshape_view_and_flatten_keep_the_order()
    {
        using var scope = new TensorScope();
        var x = Counted(2, 3, 4);
        Assert.Equal([6L, 4L], x.Reshape(6, -1).Shape);
        Assert.Equal([4L, 6L], x.View(4, 6).Shape);
        Assert.Equal([24L], x.Flatten().Shape);
        Assert.Equal([2L, 12L], x.Flatten(1).Shape);
        Assert.Equal([6L, 4L], x.Flatten(0, 1).Shape);
        Assert.Equal(x.ToArray<long>(), x.Reshape(4, 6).ToArray<long>());
        Assert.Throws<TorchException>(() => x.Transpose(0, 2).View(24));
        Assert.Throws<TorchException>(() => x.Reshape(5, 5));
    }

    [Fact]
    public void Permute_and_transpose_move_elements()
    {
        using var scope = new TensorScope();
        var x = Counted(2, 3, 4);
        var p = x.Permute(2, 0, 1);
        Assert.Equal([4L, 2L, 3L], p.Shape);
        Assert.Equal(x[1, 2, 3].ToDouble(), p[3, 1, 2].ToDouble());
        Assert.Equal([3L, 2L, 4L], x.Transpose(0, 1).Shape);
        Assert.True(x.Transpose(-1, 0).SameAs(x.Permute(2, 1, 0)));
        Assert.Equal([0L, 2L, 1L, 3L], Counted(2, 2).T().ToArray<long>());
        Assert.True(p.Contiguous().IsContiguous);
        Assert.True(p.Contiguous().SameAs(p));
    }

    [Fact]
    public void Dimensions_of_size_one_come_and_go()
    {
        using var scope = new TensorScope();
        var x = Counted(2, 3);
        Assert.Equal([2L, 1L, 3L], x.Unsqueeze(1).Shape);
        Assert.Equal([2L, 3L, 1L], x.Unsqueeze(-1).Shape);
        Assert.Equal([2L, 3L], x.Unsqueeze(0).Squeeze(0).Shape);
        Assert.Equal([2L, 3L], x.Squeeze(0).Shape);
        var expanded = x.Unsqueeze(1).Expand(-1, 4, -1);
        Assert.Equal([2L, 4L, 3L], expanded.Shape);
        Assert.Equal([3L, 4L, 5L], expanded[1, 2].ToArray<long>());
    }

    [Fact]
    public void Narrow_select_and_split_cut()
    {
        using var scope = new TensorScope();
        var x = Counted(5, 2);
        Assert.Equal([2L, 3L, 4L, 5L], x.Narrow(0, 1, 2).ToArray<long>());
        Assert.Equal([1L, 3L, 5L, 7L, 9L], x.Select(1, 1).ToArray<long>());
        Assert.Equal([8L, 9L, 0L, 1L], x.IndexSelect(0, Tensor.From([4L, 0L], 2)).ToArray<long>());
        Assert.Equal([2L, 2L, 1L], x.Split(2).Select(part => part.Size(0)));
        Assert.Equal([1L, 4L], x.Split([1, 4]).Select(part => part.Size(0)));
        Assert.Equal([1L, 3L, 5L, 7L, 9L], x.Split(1, dimension: 1)[1].ToArray<long>());
        Assert.Throws<TorchException>(() => x.Narrow(0, 4, 2));
        Assert.Throws<TorchException>(() => x.Split([1, 1]));
    }

    [Fact]
    public void Concatenate_and_stack_undo_a_split()
    {
        using var scope = new TensorScope();
        var x = Counted(4, 3);
        Assert.True(Tensor.Concatenate(x.Split(3)).SameAs(x));
        Assert.True(Tensor.Concatenate(x.Split(2, 1), 1).SameAs(x));
        Assert.True(Tensor.Stack([x[0], x[1], x[2], x[3]]).SameAs(x));
        Assert.Equal([4L, 2L, 3L], Tensor.Stack([x, x], 1).Shape);
        var error = Assert.Throws<TorchException>(() => Tensor.Concatenate([x, x.T()]));
        Assert.Contains("aten::cat([int64[4, 3], int64[3, 4]], 0)", error.Message);
        Assert.Throws<TorchException>(() => Tensor.Stack([]));
    }

    [Fact]
    public void A_clone_has_memory_of_its_own_and_a_view_has_not()
    {
        using var scope = new TensorScope();
        var x = Tensor.Zeros([2, 2]);
        var (view, clone) = (x.View(4), x.Clone());
        x.Fill(1);
        Assert.Equal([1f, 1f, 1f, 1f], view.ToArray<float>());
        Assert.Equal([0f, 0f, 0f, 0f], clone.ToArray<float>());
    }

    [Fact]
    public void Triangles_keep_one_side_of_the_diagonal()
    {
        using var scope = new TensorScope();
        var x = Tensor.Ones([3, 3], DType.Int64);
        Assert.Equal([1L, 0, 0, 1, 1, 0, 1, 1, 1], x.LowerTriangle().ToArray<long>());
        Assert.Equal([0L, 1, 1, 0, 0, 1, 0, 0, 0], x.UpperTriangle(1).ToArray<long>());
        Assert.Equal([0L, 0, 0, 1, 0, 0, 1, 1, 0], x.LowerTriangle(-1).ToArray<long>());
    }
}
