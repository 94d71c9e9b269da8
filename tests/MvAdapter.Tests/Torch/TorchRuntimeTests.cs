using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

[Collection(Alone.Name)]
public sealed class TorchRuntimeTests
{
    [Fact]
    public void The_version_and_the_build_are_named()
    {
        Assert.True(Version.TryParse(TorchRuntime.Version.Split('+')[0], out var version) && version >= new Version(1, 13));
        Assert.NotEmpty(TorchRuntime.BuildDescription);
        Assert.Contains("get_num_threads", TorchRuntime.ParallelDescription);
    }

    [Fact]
    public void The_thread_count_is_what_was_set()
    {
        var before = TorchRuntime.Threads;
        try
        {
            foreach (var threads in new[] { 1, 2, 3 })
            {
                TorchRuntime.Threads = threads;
                Assert.Equal(threads, TorchRuntime.Threads);
            }
            Assert.Throws<TorchException>(() => TorchRuntime.Threads = 0);
            Assert.Throws<TorchException>(() => TorchRuntime.Threads = -4);
            Assert.Equal(3, TorchRuntime.Threads);
        }
        finally
        {
            TorchRuntime.Threads = before;
        }
    }

    [Fact]
    public void Memory_counts_what_a_tensor_takes_and_gives_back()
    {
        const long size = 256L << 20;
        TorchRuntime.EmptyCache();   // a hole that other tests have left would take the tensor without growing
        var before = TorchRuntime.Memory(Device.Cpu);
        Assert.InRange(before.Current, 1L << 20, before.Total);
        Assert.True(before.Peak >= before.Current);
        using (Tensor.Ones([size], DType.UInt8))
        {
            var during = TorchRuntime.Memory(Device.Cpu);
            Assert.InRange(during.Current - before.Current, size * 3 / 4, size * 3 / 2);
            Assert.True(during.Peak >= during.Current - (1 << 20));
        }
        // What is free waits for the next of its size, and is given back on request.
        using (Tensor.Ones([size], DType.UInt8))
            Assert.InRange(TorchRuntime.Memory(Device.Cpu).Current - before.Current, size * 3 / 4, size * 3 / 2);
        TorchRuntime.EmptyCache();
        var after = TorchRuntime.Memory(Device.Cpu);
        Assert.InRange(after.Current - before.Current, -size, size / 4);
        Assert.True(after.Peak - after.Current >= size / 2);
        TorchRuntime.ResetPeakMemory(Device.Cpu);
        Assert.True(TorchRuntime.Memory(Device.Cpu).Peak <= after.Peak);
    }

    [Fact]
    public void A_GPU_that_is_not_there_has_no_memory()
    {
        TorchRuntime.Synchronize(Device.Cpu);
        Assert.Throws<TorchException>(() => TorchRuntime.Memory(Device.Cuda(TorchRuntime.CudaDevices)));
    }
}
