using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class AutogradTests
{
    private static Tensor Leaf(params double[] values)
    {
        var tensor = Tensor.From(values, values.Length);
        tensor.RequiresGrad = true;
        return tensor;
    }

    [Fact]
    public void Backward_adds_to_the_gradients_of_leaves()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        Assert.Null(x.Grad);
        (x * x).Sum().Backward();
        TensorValues.AssertClose([4, 6], x.Grad!);
        (x * x).Sum().Backward();
        TensorValues.AssertClose([8, 12], x.Grad!);
        x.Grad = null;
        Assert.Null(x.Grad);
    }

    [Fact]
    public void Backward_of_a_vector_takes_its_gradient()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        (x * x).Backward(Tensor.From([1.0, -1.0], 2));
        TensorValues.AssertClose([4, -6], x.Grad!);
    }

    [Fact]
    public void Several_tensors_go_back_in_one_pass()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        Autograd.Backward([x.Sum(), x * 2], [null, Tensor.From([10.0, 20.0], 2)]);
        TensorValues.AssertClose([21, 41], x.Grad!);
    }

    [Fact]
    public void Gradient_leaves_Grad_alone_and_is_null_for_an_unused_input()
    {
        using var scope = new TensorScope();
        var (x, unused) = (Leaf(2, 3), Leaf(1));
        var gradients = Autograd.Gradient([(x * x).Sum()], [x, unused]);
        TensorValues.AssertClose([4, 6], gradients[0]!);
        Assert.Null(gradients[1]);
        Assert.Null(x.Grad);
    }

    [Fact]
    public void Gradient_reaches_inner_tensors_and_takes_output_gradients()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        var inner = x * 5;
        var gradients = Autograd.Gradient([inner * inner], [inner], [Tensor.From([1.0, 2.0], 2)]);
        TensorValues.AssertClose([20, 60], gradients[0]!);
    }

    [Fact]
    public void The_graph_is_freed_by_backward_unless_kept()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        var loss = (x * x).Sum();
        loss.Backward(keepGraph: true);
        loss.Backward();
        TensorValues.AssertClose([8, 12], x.Grad!);
        Assert.Throws<TorchException>(() => loss.Backward());
        var second = (x * x).Sum();
        _ = Autograd.Gradient([second], [x], keepGraph: true);
        _ = Autograd.Gradient([second], [x]);
        Assert.Throws<TorchException>(() => Autograd.Gradient([second], [x]));
    }

    [Fact]
    public void The_graph_lives_as_long_as_its_loss()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        Tensor loss;
        using (var inner = new TensorScope())
        {
            var square = x * x;
            loss = inner.Keep(square.Sum());
        }
        GC.Collect();
        loss.Backward();
        TensorValues.AssertClose([4, 6], x.Grad!);
    }

    [Fact]
    public void Detach_ends_the_graph()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        var detached = (x * x).Detach();
        Assert.False(detached.RequiresGrad);
        Assert.True((x * x).RequiresGrad);
        (detached * x).Sum().Backward();
        TensorValues.AssertClose([4, 9], x.Grad!);
    }

    [Fact]
    public void A_gradient_can_be_set_and_is_what_the_tensor_is()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        x.Grad = Tensor.From([1.0, 1.0], 2);
        x.Sum().Backward();
        TensorValues.AssertClose([2, 2], x.Grad!);
        Assert.Contains("float64[3] is no gradient of float64[2]",
            Assert.Throws<ArgumentException>(() => x.Grad = Tensor.Zeros([3], DType.Float64)).Message);
        Assert.Throws<ArgumentException>(() => x.Grad = Tensor.Zeros([2]));
    }

    [Fact]
    public void Misuse_names_the_call_and_the_shapes()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        Assert.Contains("backward(float64[2])", Assert.Throws<TorchException>(() => (x * x).Backward()).Message);
        Assert.Contains("backward(float32[])", Assert.Throws<TorchException>(() => Tensor.Ones([]).Backward()).Message);
        Assert.Contains("requires_grad(int64[3])", Assert.Throws<TorchException>(() => Tensor.Arange(3).RequiresGrad = true).Message);
        Assert.Contains("gradient(float64[], float32[1])",
            Assert.Throws<TorchException>(() => Autograd.Gradient([x.Sum()], [Tensor.Ones([1])])).Message);
        Assert.Throws<TorchException>(() => x.Fill(0));
        Assert.Contains("requires_grad(float64[2])", Assert.Throws<InvalidOperationException>(() => (x * x).RequiresGrad = false).Message);
    }

    [Fact]
    public void There_must_be_a_gradient_for_every_output()
    {
        using var scope = new TensorScope();
        var x = Leaf(2, 3);
        Assert.Throws<ArgumentException>(() => Autograd.Backward([x.Sum(), x.Sum()], [Tensor.Ones([], DType.Float64)]));
        Assert.Throws<ArgumentException>(() => Autograd.Gradient([x.Sum()], [x], []));
        Assert.Throws<TorchException>(() => (x * x).Backward(Tensor.Ones([5], DType.Float64)));
    }
}
