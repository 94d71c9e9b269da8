using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class IndexTests
{
    // Element [i, j, k] of the [2, 3, 4] tensor is 100 i + 10 j + k.
    private static Tensor Numbered() => Tensor.From(
        [.. from i in Enumerable.Range(0, 2) from j in Enumerable.Range(0, 3) from k in Enumerable.Range(0, 4) select 100L * i + 10 * j + k], 2, 3, 4);

    private static void AssertIs(long[] shape, long[] values, Tensor tensor)
    {
        Assert.Equal(shape, tensor.Shape);
        Assert.Equal(values, tensor.ToArray<long>());
    }

    [Fact]
    public void Integers_take_one_index_each()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        AssertIs([], [123], x[1, 2, 3]);
        AssertIs([4], [10, 11, 12, 13], x[0, 1]);
        AssertIs([4], [120, 121, 122, 123], x[-1, -1]);
        AssertIs([], [0], x[-2, -3, -4]);
        AssertIs([], [112], x[^1, ^2, ^2]);
    }

    [Fact]
    public void Ranges_take_parts_and_are_cut_to_the_dimension()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        AssertIs([2, 1, 2], [11, 12, 111, 112], x[.., 1..2, 1..3]);
        AssertIs([1, 2, 1], [113, 123], x[1.., ^2.., ^1..]);
        AssertIs([4], [10, 11, 12, 13], x[0, 1, ..99]);
        AssertIs([0], [], x[0, 1, 3..1]);
        AssertIs([0], [], x[0, 1, 7..9]);
        AssertIs([2], [10, 11], x[0, 1, ^9..2]);
    }

    [Fact]
    public void New_axes_and_the_ellipsis_stand_where_they_are_written()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        AssertIs([2, 3], [3, 13, 23, 103, 113, 123], x[TensorIndex.Ellipsis, 3]);
        AssertIs([3], [101, 111, 121], x[1, TensorIndex.Ellipsis, 1]);
        AssertIs([1, 4, 1], [10, 11, 12, 13], x[TensorIndex.NewAxis, 0, 1, .., TensorIndex.NewAxis]);
        Assert.Equal([2L, 3L, 1L, 4L], x[TensorIndex.Ellipsis, TensorIndex.NewAxis, ..].Shape);
        Assert.Equal([1L, 2L, 3L, 4L], x[TensorIndex.NewAxis].Shape);
        AssertIs([], [123], x[1, 2, TensorIndex.Ellipsis, 3]);
    }

    [Fact]
    public void Index_tensors_pick_rows_in_their_order()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        var picks = Tensor.From([2L, 0L, 2L], 3);
        AssertIs([3], [20, 0, 20], x[0, picks, 0]);
        AssertIs([3], [102, 100, 102], x[1, 0, picks]);
        Assert.Equal([2L, 3L, 4L], x[.., picks].Shape);
        AssertIs([2], [2, 113], x[Tensor.From([0L, 1L], 2), Tensor.From([0L, 1L], 2), Tensor.From([2L, 3L], 2)]);
        AssertIs([2, 1], [1, 121], x[Tensor.From([0L, 1L], 2), Tensor.From([0L, -1L], 2), 1..2]);
        AssertIs([2, 2], [0, 10, 20, 0], x[0, Tensor.From([0L, 1L, 2L, 0L], 2, 2), 0]);
        Assert.Equal([2L, 3L, 3L], x[TensorIndex.Ellipsis, picks].Shape);
    }

    [Fact]
    public void A_mask_picks_where_it_is_true()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        AssertIs([2], [10, 20], x[0, Tensor.From([false, true, true], 3), 0]);
        AssertIs([3], [121, 122, 123], x[x.GreaterThan(120)]);
        Assert.Equal([0L, 4L], x[Tensor.Zeros([2, 3], DType.Bool)].Shape);
    }

    [Fact]
    public void A_mask_of_two_dimensions_counts_as_two()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        var mask = Tensor.From([false, true, false, false, false, true], 2, 3);
        AssertIs([2], [12, 122], x[mask, 2]);
        AssertIs([2, 2], [11, 12, 121, 122], x[mask, 1..3]);
        AssertIs([2], [13, 120], x[mask, Tensor.From([3L, 0L], 2)]);
        AssertIs([2], [13, 123], x[TensorIndex.Ellipsis, mask, 3]);
        AssertIs([2], [13, 123], x[mask, TensorIndex.Ellipsis, 3]);
        Assert.Throws<ArgumentException>(() => x[mask, 0, 0]);
    }

    [Fact]
    public void The_result_is_a_view_of_the_same_elements()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        x[0, 1].Fill(-1);
        AssertIs([4], [-1, -1, -1, -1], x[0, 1]);
        x[TensorIndex.Ellipsis].Fill(5);
        Assert.Equal(5, x[1, 2, 3].ToDouble());
        Assert.Equal([4L, 3L, 2L], x.Permute(2, 1, 0)[TensorIndex.Ellipsis].Shape);
    }

    [Fact]
    public void Nothing_but_the_result_remains()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        var rows = Tensor.From([0L], 1);
        _ = x[0, 1.., TensorIndex.NewAxis, rows];
        Assert.Equal(3, scope.Count);
    }

    [Fact]
    public void An_index_outside_names_the_dimension_and_the_shape()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => x[1, 3]);
        Assert.Contains("index 3 is outside dimension 1 of int64[2, 3, 4]", error.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => x[-3]);
        Assert.Throws<ArgumentOutOfRangeException>(() => x[int.MinValue]);
        Assert.Throws<ArgumentOutOfRangeException>(() => x[^0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => Tensor.Zeros([0])[0]);
        Assert.Throws<TorchException>(() => x[Tensor.From([5L], 1)]);
    }

    [Fact]
    public void Indices_that_do_not_fit_are_refused()
    {
        using var scope = new TensorScope();
        var x = Numbered();
        Assert.Contains("4 dimensions of int64[2, 3, 4]", Assert.Throws<ArgumentException>(() => x[0, 0, 0, 0]).Message);
        Assert.Throws<ArgumentException>(() => x[TensorIndex.Ellipsis, TensorIndex.Ellipsis]);
        Assert.Contains("float32[1]", Assert.Throws<ArgumentException>(() => x[Tensor.Zeros([1])]).Message);
        Assert.Throws<ArgumentException>(() => x[Tensor.Zeros([2], DType.UInt8)]);
        Assert.Throws<TorchException>(() => x[Tensor.Zeros([3], DType.Bool)]);
        Assert.Throws<ArgumentException>(() => Tensor.From([1.0])[0]);
    }
}
