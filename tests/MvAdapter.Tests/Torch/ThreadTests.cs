using System.Collections.Concurrent;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

[Collection(Alone.Name)]
public sealed class ThreadTests
{
    [Fact]
    public void A_tensor_made_on_one_thread_is_used_on_another()
    {
        using var scope = new TensorScope();
        var x = Tensor.Arange(6).Reshape(2, 3);
        x = x.To(DType.Float64);
        x.RequiresGrad = true;
        var loss = (x * x).Sum();
        Parallel(1, _ =>
        {
            Assert.Equal(55, loss.ToDouble());
            loss.Backward();
        });
        TensorValues.AssertClose([0, 2, 4, 6, 8, 10], x.Grad!);
    }

    [Fact]
    public void Many_threads_work_at_once_each_in_its_scopes()
    {
        var before = Alone.LivingTensors();
        using (var scope = new TensorScope())
        {
            var (shared, expected) = (TensorValues.Random(1, 8, 8), new double[8]);
            for (var i = 0; i < 8; i++) expected[i] = Work(shared, i);
            Parallel(8, n =>
            {
                for (var repeat = 0; repeat < 20; repeat++) Assert.Equal(expected[n], Work(shared, n), 1e-12);
            });
        }
        Assert.Equal(before, Tensor.Living);

        static double Work(Tensor shared, int n)
        {
            using var scope = new TensorScope();
            var weight = TensorValues.Random(n, 8, 8);
            weight.RequiresGrad = true;
            Functional.Softmax(shared.MatMul(weight), -1)[.., n % 8].Sum().Backward();
            return weight.Grad!.Abs().Sum().ToDouble();
        }
    }

    [Fact]
    public void Each_thread_reads_the_message_of_its_own_failure()
    {
        var messages = new ConcurrentDictionary<int, string>();
        Parallel(8, n =>
        {
            using var scope = new TensorScope();
            var (a, b) = (Tensor.Ones([n + 2, n + 3]), Tensor.Ones([n + 4, n + 5]));
            for (var repeat = 0; repeat < 20; repeat++)
                messages[n] = Assert.Throws<TorchException>(() => a.MatMul(b)).Message;
        });
        Assert.All(messages, item => Assert.Contains($"float32[{item.Key + 2}, {item.Key + 3}], float32[{item.Key + 4}, {item.Key + 5}]", item.Value));
    }

    [Fact]
    public void One_tensor_disposed_by_many_threads_is_freed_once()
    {
        var before = Alone.LivingTensors();
        for (var repeat = 0; repeat < 20; repeat++)
        {
            var tensor = Tensor.Ones([4]);
            Parallel(4, _ => tensor.Dispose());
        }
        Assert.Equal(before, Tensor.Living);
    }

    private static void Parallel(int count, Action<int> body)
    {
        var failures = new ConcurrentBag<Exception>();
        using var start = new Barrier(count);
        var threads = Enumerable.Range(0, count).Select(n => new Thread(() =>
        {
            start.SignalAndWait();
            if (Record.Exception(() => body(n)) is { } failure) failures.Add(failure);
        })).ToList();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        Assert.Empty(failures);
    }
}
