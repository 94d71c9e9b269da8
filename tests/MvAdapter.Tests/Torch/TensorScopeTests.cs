using System.Runtime.CompilerServices;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

[Collection(Alone.Name)]
public sealed class TensorScopeTests
{
    [Fact]
    public void The_end_of_a_scope_frees_what_was_made_inside()
    {
        var before = Alone.LivingTensors();
        Tensor made, sum;
        using (var scope = new TensorScope())
        {
            made = Tensor.Ones([3]);
            sum = (made * 2 + made[..2].Sum()).Reshape(3);
            Assert.True(scope.Count >= 2);
            Assert.Equal(before + scope.Count, Tensor.Living);
        }
        Assert.True(made.IsDisposed && sum.IsDisposed);
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void Reading_and_printing_leave_nothing_behind()
    {
        using var tensor = Tensor.From([1.0, 2, 3, 4], 2, 2);
        using var scope = new TensorScope();
        _ = (tensor.ToArray<double>(), tensor.ToFloats(), tensor.ToBytes(), tensor.ToString(), tensor.SameAs(tensor), tensor.Shape, tensor.DType);
        Assert.Equal(0, scope.Count);
    }

    [Fact]
    public void Nothing_but_results_outlives_a_call_without_a_scope()
    {
        var before = Alone.LivingTensors();
        using var x = Tensor.From([1.0, 2, 3, 4], 2, 2);
        using var inverse = 1 / x;
        using var unit = Functional.Normalize(x);
        using var part = x[0, ..1, TensorIndex.NewAxis];
        Assert.Throws<ArgumentException>(() => Tensor.From([1.0], 2));
        Assert.Throws<TorchException>(() => Operator.Call("aten::split.Tensor", x, 1));
        Assert.Throws<TorchException>(() => Operator.CallScalar("aten::exp", x));
        Assert.Equal(before + 4, Tensor.Living);
    }

    [Fact]
    public void Keep_hands_a_tensor_to_the_enclosing_scope()
    {
        using var outer = new TensorScope();
        Tensor kept, dropped;
        using (var inner = new TensorScope())
        {
            kept = inner.Keep(Tensor.Ones([2]));
            dropped = Tensor.Ones([2]);
        }
        Assert.False(kept.IsDisposed);
        Assert.True(dropped.IsDisposed);
        Assert.Equal(1, outer.Count);
        outer.Dispose();
        Assert.True(kept.IsDisposed);
    }

    [Fact]
    public void Keep_without_an_enclosing_scope_hands_it_to_the_caller()
    {
        var before = Alone.LivingTensors();
        Tensor kept;
        using (var scope = new TensorScope()) kept = scope.Keep(Tensor.Ones([2]));
        Assert.Equal([1f, 1f], kept.ToFloats());
        kept.Dispose();
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void An_outer_scope_keeps_a_tensor_of_an_inner_one()
    {
        Tensor kept;
        using (var outer = new TensorScope())
        using (new TensorScope())
            kept = outer.Keep(Tensor.Ones([2]));
        Assert.False(kept.IsDisposed);
        kept.Dispose();
    }

    [Fact]
    public void A_scope_does_not_keep_what_outlives_it_anyway()
    {
        using var outer = new TensorScope();
        var older = Tensor.Ones([2]);
        using (var inner = new TensorScope()) Assert.Same(older, inner.Keep(older));
        Assert.Equal(1, outer.Count);
        Assert.False(older.IsDisposed);
    }

    [Fact]
    public void Unscoped_tensors_live_until_they_are_disposed()
    {
        var before = Alone.LivingTensors();
        Tensor tensor;
        using (new TensorScope())
        using (new TensorScope())
            tensor = Tensor.Ones([2]).Unscoped();
        Assert.Equal([1f, 1f], tensor.ToFloats());
        tensor.Dispose();
        tensor.Dispose();
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void A_tensor_disposed_early_leaves_its_scope()
    {
        using var scope = new TensorScope();
        using (Tensor.Ones([2])) Assert.Equal(1, scope.Count);
        Assert.Equal(0, scope.Count);
    }

    [Fact]
    public void The_memory_of_a_view_outlives_the_tensor_it_was_taken_from()
    {
        using var scope = new TensorScope();
        var whole = Tensor.Arange(6);
        var part = whole[2..4];
        whole.Dispose();
        Assert.Equal([2L, 3L], part.ToArray<long>());
    }

    [Fact]
    public void An_outer_scope_cannot_end_before_an_inner_one()
    {
        var outer = new TensorScope();
        var inner = new TensorScope();
        Assert.Throws<InvalidOperationException>(outer.Dispose);
        inner.Dispose();
        outer.Dispose();
        outer.Dispose();
    }

    [Fact]
    public void A_scope_ends_and_keeps_on_its_own_thread()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.Ones([2]);
        OnAnotherThread(() =>
        {
            Assert.Throws<InvalidOperationException>(scope.Dispose);
            Assert.Throws<InvalidOperationException>(() => scope.Keep(tensor));
        });
        Assert.False(tensor.IsDisposed);
        Assert.Equal(1, scope.Count);
    }

    [Fact]
    public void Another_thread_may_take_a_tensor_out_or_free_it()
    {
        var before = Alone.LivingTensors();
        Tensor taken, freed;
        using (var scope = new TensorScope())
        {
            (taken, freed) = (Tensor.Ones([2]), Tensor.Ones([2]));
            OnAnotherThread(() =>
            {
                taken.Unscoped();
                freed.Dispose();
            });
            Assert.Equal(0, scope.Count);
        }
        Assert.False(taken.IsDisposed);
        taken.Dispose();
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void A_scope_ends_when_an_exception_passes()
    {
        var before = Alone.LivingTensors();
        Assert.Throws<TorchException>(() =>
        {
            using var scope = new TensorScope();
            Tensor.Ones([2]).MatMul(Tensor.Ones([3]));
        });
        Assert.Equal(before, Tensor.Living);
    }

    [Fact]
    public void The_finalizer_frees_what_nobody_did()
    {
        var before = Alone.LivingTensors();
        MakeAndForget();
        Assert.Equal(before, Alone.LivingTensors());

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void MakeAndForget()
        {
            for (var i = 0; i < 10; i++) Tensor.Ones([100]);
            using var scope = new TensorScope();
            scope.Keep(Tensor.Ones([100]));
            Tensor.Ones([100]).Unscoped();
        }
    }

    private static void OnAnotherThread(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() => failure = Record.Exception(action));
        thread.Start();
        thread.Join();
        Assert.Null(failure);
    }
}
