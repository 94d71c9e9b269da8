using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class ReductionTests
{
    private static readonly double[] Values = [1, -2, 3.5, 0, 4, -6];

    private static Tensor X => Tensor.From(Values, 2, 3);

    [Fact]
    public void Reductions_of_everything_give_a_scalar()
    {
        using var scope = new TensorScope();
        Assert.Equal(Values.Sum(), X.Sum().ToDouble(), 1e-12);
        Assert.Equal(Values.Average(), X.Mean().ToDouble(), 1e-12);
        Assert.Equal(Values.Max(), X.Max().ToDouble());
        Assert.Equal(Math.Sqrt(Values.Sum(v => v * v)), X.Norm().ToDouble(), 1e-12);
        Assert.Empty(X.Sum().Shape);
    }

    [Fact]
    public void Reductions_over_dimensions_drop_or_keep_them()
    {
        using var scope = new TensorScope();
        TensorValues.AssertClose([1, 2, -2.5], X.Sum([0]));
        TensorValues.AssertClose([2.5, -2], X.Sum([-1]));
        TensorValues.AssertClose([2.5 / 3, -2.0 / 3], X.Mean([1]));
        Assert.Equal([2L, 1L], X.Sum([1], keep: true).Shape);
        Assert.Equal([1L, 3L], X.Mean([0], keep: true).Shape);
        Assert.Equal(Values.Sum(), X.Sum([0, 1]).ToDouble(), 1e-12);
        Assert.Equal([2L, 1L], X.Norm(-1).Shape);
        TensorValues.AssertClose([Math.Sqrt(1 + 4 + 12.25), Math.Sqrt(16 + 36)], X.Norm(-1));
    }

    [Fact]
    public void ArgMax_gives_the_place()
    {
        using var scope = new TensorScope();
        Assert.Equal([2L, 1L], X.ArgMax(1).ToArray<long>());
        Assert.Equal([0L, 1L, 0L], X.ArgMax(0).ToArray<long>());
        Assert.Equal([2L, 1L], X.ArgMax(1, keep: true).Shape);
    }

    [Fact]
    public void All_wants_every_element()
    {
        using var scope = new TensorScope();
        Assert.True(Tensor.Ones([3], DType.Bool).All());
        Assert.False(Tensor.From([true, false], 2).All());
        Assert.True(Tensor.Ones([0], DType.Bool).All());
    }

    [Fact]
    public void SameAs_compares_shape_and_elements()
    {
        using var scope = new TensorScope();
        Assert.True(X.SameAs(X.Clone()));
        Assert.False(X.SameAs(X.Reshape(3, 2)));
        Assert.False(X.SameAs(X + 1e-9));
    }

    [Fact]
    public void What_cannot_be_reduced_is_refused()
    {
        using var scope = new TensorScope();
        Assert.Contains("aten::sum.dim_IntList(float64[2, 3], [2], false)", Assert.Throws<TorchException>(() => X.Sum([2])).Message);
        Assert.Contains("aten::mean(int64[2])", Assert.Throws<TorchException>(() => Tensor.Arange(2).Mean()).Message);
        Assert.Throws<TorchException>(() => Tensor.Zeros([0]).Max());
        Assert.Contains("float64[2, 3]", Assert.Throws<InvalidOperationException>(() => X.ToDouble()).Message);
    }
}
