using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class GuardTests
{
    private static Tensor Leaf()
    {
        var tensor = Tensor.Ones([2]);
        tensor.RequiresGrad = true;
        return tensor;
    }

    /// <summary>Whether this thread records for gradients.</summary>
    private static bool Records()
    {
        using var scope = new TensorScope();
        return (Leaf() * 2).RequiresGrad;
    }

    [Fact]
    public void NoGrad_nests_and_ends()
    {
        Assert.True(Records());
        using (new NoGrad())
        {
            Assert.False(Records());
            using (new NoGrad()) Assert.False(Records());
            Assert.False(Records());
        }
        Assert.True(Records());
    }

    [Fact]
    public void Guards_end_when_an_exception_passes()
    {
        Assert.Throws<TorchException>(() =>
        {
            using var scope = new TensorScope();
            using var noGrad = new NoGrad();
            using var inference = new InferenceMode();
            using var autocast = new Autocast(Device.Cpu);
            Tensor.Ones([2]).MatMul(Tensor.Ones([3]));
        });
        Assert.True(Records());
        using var after = new TensorScope();
        Assert.False(Tensor.Ones([1]).IsInference);
        Assert.Equal(DType.Float32, Tensor.Ones([2, 2]).MatMul(Tensor.Ones([2, 2])).DType);
    }

    [Fact]
    public void Disposing_a_guard_twice_ends_it_once()
    {
        using var outer = new NoGrad();
        var inner = new InferenceMode();
        inner.Dispose();
        inner.Dispose();
        Assert.False(Records());
    }

    [Fact]
    public void Inference_tensors_never_enter_training()
    {
        using var scope = new TensorScope();
        var x = Leaf();
        Tensor made;
        using (new InferenceMode())
        {
            made = x * 3;
            Assert.True(made.IsInference);
            Assert.False(made.RequiresGrad);
            Assert.False(x.IsInference);
            using (new InferenceMode()) Assert.True((x * 2).IsInference);
        }
        Assert.True(Records());
        Assert.Contains("aten::mul.Tensor(float32[2], float32[2])", Assert.Throws<TorchException>(() => x * made).Message);
        Assert.Equal([3f, 3f], made.ToArray<float>());
        Assert.Equal([3f, 3f], made.Clone().ToFloats());
    }

    [Fact]
    public void Guards_belong_to_their_thread()
    {
        using var noGrad = new NoGrad();
        var elsewhere = false;
        var thread = new Thread(() => elsewhere = Records());
        thread.Start();
        thread.Join();
        Assert.True(elsewhere);
        Assert.False(Records());
    }

    [Fact]
    public void A_guard_ends_on_its_own_thread()
    {
        IDisposable[] guards = [new NoGrad(), new InferenceMode(), new Autocast(Device.Cpu)];
        var failures = new List<Exception?>();
        var thread = new Thread(() => failures.AddRange(guards.Select(guard => Record.Exception(guard.Dispose))));
        thread.Start();
        thread.Join();
        Assert.All(failures, failure => Assert.IsType<InvalidOperationException>(failure));
        foreach (var guard in guards.Reverse()) guard.Dispose();
        Assert.True(Records());
    }

    [Fact]
    public void The_innermost_guard_ends_first()
    {
        var outer = new NoGrad();
        var inner = new Autocast(Device.Cpu);
        Assert.Throws<InvalidOperationException>(outer.Dispose);
        inner.Dispose();
        outer.Dispose();
        Assert.True(Records());
    }

    [Fact]
    public void Autocast_gives_bfloat16_products_and_leaves_the_rest()
    {
        using var scope = new TensorScope();
        var (a, b) = (Tensor.Ones([2, 3]), Tensor.Ones([4, 3]));
        using (new Autocast(Device.Cpu))
        {
            Assert.Equal(DType.BFloat16, a.MatMul(b.T()).DType);
            Assert.Equal(DType.BFloat16, Functional.Linear(a, b).DType);
            Assert.Equal(DType.Float32, (a + a).DType);
            using (new Autocast(Device.Cpu)) Assert.Equal(DType.BFloat16, a.MatMul(b.T()).DType);
            Assert.Equal(DType.BFloat16, a.MatMul(b.T()).DType);
        }
        Assert.Equal(DType.Float32, a.MatMul(b.T()).DType);
    }

    [Fact]
    public void Autocast_gradients_have_the_weights_type_and_each_step_sees_the_new_weights()
    {
        using var scope = new TensorScope();
        var weight = Tensor.Ones([2, 2]);
        weight.RequiresGrad = true;
        for (var step = 1; step <= 3; step++)
        {
            using (new Autocast(Device.Cpu))
            {
                var product = Functional.Linear(Tensor.Ones([1, 2]), weight);
                Assert.Equal(2f * step, product.ToFloats()[0]);
                product.Sum().Backward();
            }
            Assert.Equal(DType.Float32, weight.Grad!.DType);
            using var noGrad = new NoGrad();
            weight.AddInPlace(Tensor.Ones([2, 2]));
        }
    }
}
