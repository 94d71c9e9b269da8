using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class OperatorTests
{
    [Fact]
    public void An_operator_is_found_by_its_name()
    {
        var add = Operator.Find("aten::add.Tensor");
        Assert.Equal("aten::add.Tensor", add.Name);
        Assert.StartsWith("aten::add.Tensor(Tensor self, Tensor other, *, ", add.Schema);
        Assert.Same(add, Operator.Find("aten::add.Tensor"));
    }

    [Theory]
    [InlineData("aten::mm", true)]
    [InlineData("aten::add.Tensor", true)]
    [InlineData("aten::add", false)]
    [InlineData("mm", false)]
    [InlineData("aten::no_such_operator", false)]
    [InlineData("aten::mm.no_such_overload", false)]
    [InlineData("", false)]
    public void Existence_is_known(string name, bool expected) => Assert.Equal(expected, Operator.Exists(name));

    [Fact]
    public void An_unknown_operator_is_named() =>
        Assert.Contains("aten::no_such_operator", Assert.Throws<TorchException>(() => Operator.Call("aten::no_such_operator")).Message);

    [Fact]
    public void Any_operator_is_called_by_its_name()
    {
        using var scope = new TensorScope();
        TensorValues.AssertClose([Math.Cos(1), Math.Cos(2)], Operator.Call("aten::cos", Tensor.From([1.0, 2.0], 2)));
        var parts = Operator.CallMany("aten::sort", Tensor.From([3.0, 1.0, 2.0], 3));
        TensorValues.AssertClose([1, 2, 3], parts[0]!);
        Assert.Equal([1L, 2L, 0L], parts[1]!.ToArray<long>());
        Assert.Equal(2.5, Operator.CallScalar("aten::item", Tensor.From([2.5])));
        Assert.Equal(7, Operator.CallScalar("aten::item", Tensor.From([7L])));
        Assert.Equal(1, Operator.CallScalar("aten::is_nonzero", Tensor.From([2.5])));
    }

    [Fact]
    public void Defaults_and_texts_and_lists_are_passed()
    {
        using var scope = new TensorScope();
        var x = Tensor.From([1.0, 3.0, 2.0, 4.0], 2, 2);
        TensorValues.AssertClose([4, 2, 3, 1], Operator.Call("aten::flip", x, new long[] { 0, 1 }));
        TensorValues.AssertClose([5, 7, 6, 8], Operator.Call("aten::add.Tensor", x, Tensor.Full([], 4, DType.Float64), Argument.Default));
        Assert.Equal([2L, 4L], Operator.Call("aten::einsum", "ij,ik->jk", new[] { x, Tensor.Ones([2, 4], DType.Float64) }, Argument.None).Shape);
        TensorValues.AssertClose([0, 0.5, 1], Operator.Call("aten::linspace", 0.0, 1.0, 3, DType.Float64));
        Assert.Equal([4L], Operator.Call("aten::histc", x, 4).Shape);
    }

    [Fact]
    public void A_list_longer_than_the_stack_takes_is_passed()
    {
        using var scope = new TensorScope();
        var tensors = Enumerable.Range(0, 1000).Select(i => Tensor.Full([1], i, DType.Float64)).ToArray();
        TensorValues.AssertClose([.. Enumerable.Range(0, 1000).Select(i => (double)i)], Tensor.Concatenate(tensors));
    }

    [Fact]
    public void Arguments_that_do_not_fit_the_schema_are_refused()
    {
        using var scope = new TensorScope();
        var x = Tensor.Ones([2]);
        Assert.Contains("'other' is missing", Assert.Throws<TorchException>(() => Operator.Call("aten::add.Tensor", x)).Message);
        Assert.Contains("at most 1 arguments", Assert.Throws<TorchException>(() => Operator.Call("aten::cos", x, 1)).Message);
        Assert.Contains("'self' wants Tensor", Assert.Throws<TorchException>(() => Operator.Call("aten::cos", "two")).Message);
        Assert.Contains("'size' wants", Assert.Throws<TorchException>(() => Operator.Call("aten::zeros", x)).Message);
        Assert.Throws<TorchException>(() => Operator.CallScalar("aten::cos", x));
        Assert.Contains("2 values", Assert.Throws<TorchException>(() => Operator.Call("aten::sort", x)).Message);
    }
}
