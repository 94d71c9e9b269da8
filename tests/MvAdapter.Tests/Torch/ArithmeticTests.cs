using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class ArithmeticTests
{
    private static readonly double[] Left = [1.5, -2, 0.25, 4, -0.5, 3];
    private static readonly double[] Row = [2, -1, 8];

    private static Tensor A => Tensor.From(Left, 2, 3);
    private static Tensor B => Tensor.From(Row, 3);

    /// <summary>The function of each element of A and the element of B below which it stands.</summary>
    private static double[] Broadcast(Func<double, double, double> function) =>
        [.. Left.Select((value, i) => function(value, Row[i % 3]))];

    [Fact]
    public void Operators_of_two_tensors_broadcast()
    {
        using var scope = new TensorScope();
        TensorValues.AssertClose(Broadcast((a, b) => a + b), A + B);
        TensorValues.AssertClose(Broadcast((a, b) => a - b), A - B);
        TensorValues.AssertClose(Broadcast((a, b) => b - a), B - A);
        TensorValues.AssertClose(Broadcast((a, b) => a * b), A * B);
        TensorValues.AssertClose(Broadcast((a, b) => a / b), A / B);
    }

    [Fact]
    public void Columns_and_rows_broadcast_to_a_matrix()
    {
        using var scope = new TensorScope();
        var product = Tensor.From([1.0, 2.0], 2, 1) * Tensor.From([3.0, 4.0, 5.0], 1, 3);
        Assert.Equal([2L, 3L], product.Shape);
        TensorValues.AssertClose([3, 4, 5, 6, 8, 10], product);
    }

    [Fact]
    public void Operators_with_a_number_apply_to_every_element()
    {
        using var scope = new TensorScope();
        TensorValues.AssertClose(Broadcast((a, _) => a + 3), A + 3);
        TensorValues.AssertClose(Broadcast((a, _) => a + 3), 3 + A);
        TensorValues.AssertClose(Broadcast((a, _) => a - 3), A - 3);
        TensorValues.AssertClose(Broadcast((a, _) => 3 - a), 3 - A);
        TensorValues.AssertClose(Broadcast((a, _) => a * 3), A * 3);
        TensorValues.AssertClose(Broadcast((a, _) => a * 3), 3 * A);
        TensorValues.AssertClose(Broadcast((a, _) => a / 3), A / 3);
        TensorValues.AssertClose(Broadcast((a, _) => 3 / a), 3 / A);
        TensorValues.AssertClose(Broadcast((a, _) => -a), -A);
    }

    [Fact]
    public void Functions_of_an_element_are_those_of_Math()
    {
        using var scope = new TensorScope();
        TensorValues.AssertClose(Broadcast((a, _) => Math.Exp(a)), A.Exp());
        TensorValues.AssertClose(Broadcast((a, _) => Math.Abs(a)), A.Abs());
        TensorValues.AssertClose(Broadcast((a, _) => Math.Log(Math.Abs(a))), A.Abs().Log());
        TensorValues.AssertClose(Broadcast((a, _) => Math.Sqrt(Math.Abs(a))), A.Abs().Sqrt());
        TensorValues.AssertClose(Broadcast((a, _) => 1 / (1 + Math.Exp(-a))), A.Sigmoid());
        TensorValues.AssertClose(Broadcast((a, _) => Math.Max(a, 0)), A.Relu());
        TensorValues.AssertClose(Broadcast((a, _) => Math.Clamp(a, -1, 2)), A.Clamp(-1, 2));
        TensorValues.AssertClose(Broadcast((a, _) => Math.Max(a, -1)), A.ClampMin(-1));
    }

    [Fact]
    public void Comparisons_give_truth_values()
    {
        using var scope = new TensorScope();
        Assert.Equal(Left.Select(a => a > 0.25), A.GreaterThan(0.25).ToArray<bool>());
        Assert.Equal(Left.Select(a => a == -2), A.EqualTo(-2).ToArray<bool>());
        Assert.Equal([true, false, true], B.EqualTo(Tensor.From([2.0, 1.0, 8.0], 3)).ToArray<bool>());
        Assert.Equal([true, false, false], Tensor.From([1.0, double.NaN, double.PositiveInfinity], 3).IsFinite().ToArray<bool>());
        TensorValues.AssertClose(Broadcast((a, _) => a > 0 ? -9 : a), A.MaskedFill(A.GreaterThan(0), -9));
    }

    [Fact]
    public void In_place_operators_change_the_tensor_and_return_it()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.From([1.0, 2.0], 2);
        Assert.Same(tensor, tensor.AddInPlace(Tensor.From([10.0, 20.0], 2), 0.5));
        TensorValues.AssertClose([6, 12], tensor);
        TensorValues.AssertClose([12, 24], tensor.MultiplyInPlace(2));
        TensorValues.AssertClose([12, -24], tensor.MultiplyInPlace(Tensor.From([1.0, -1.0], 2)));
        TensorValues.AssertClose([15, -15], tensor.AddProductInPlace(Tensor.From([1.0, 3.0], 2), Tensor.From([1.0, 1.0], 2), 3));
        TensorValues.AssertClose([2, -15], tensor.ClampMaxInPlace(2));
        TensorValues.AssertClose([7, 7], tensor.Fill(7));
        TensorValues.AssertClose([1, 2], tensor.CopyFrom(Tensor.From([1f, 2f], 2)));
        Assert.Equal(DType.Float64, tensor.DType);
    }

    [Fact]
    public void In_place_operators_make_no_second_handle()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.Zeros([2]);
        for (var i = 0; i < 5; i++) tensor.Fill(i).MultiplyInPlace(2);
        Assert.Equal(1, scope.Count);
    }

    [Theory]
    [InlineData(new long[] { 2, 3 }, new long[] { 3, 4 }, new long[] { 2, 4 })]
    [InlineData(new long[] { 5, 2, 3 }, new long[] { 5, 3, 4 }, new long[] { 5, 2, 4 })]
    [InlineData(new long[] { 5, 2, 3 }, new long[] { 3, 4 }, new long[] { 5, 2, 4 })]
    [InlineData(new long[] { 3 }, new long[] { 3 }, new long[0])]
    [InlineData(new long[] { 2, 0 }, new long[] { 0, 4 }, new long[] { 2, 4 })]
    public void Matrix_products_have_the_shape_of_their_factors(long[] a, long[] b, long[] expected)
    {
        using var scope = new TensorScope();
        Assert.Equal(expected, TensorValues.Random(1, a).MatMul(TensorValues.Random(2, b)).Shape);
    }
}
