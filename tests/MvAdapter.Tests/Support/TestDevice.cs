using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>Where tests compute: MVADAPTER_TEST_DEVICE (cpu, cuda, cuda:N), by default the CPU.</summary>
internal static class TestDevice
{
    public static Device Current { get; } = Environment.GetEnvironmentVariable("MVADAPTER_TEST_DEVICE") is { Length: > 0 } name ? Device.Parse(name) : Device.Cpu;

    /// <summary>The GPU of tests that are about GPUs; they are skipped where there is none.</summary>
    public static Device Gpu()
    {
        Assert.SkipUnless(TorchRuntime.CudaDevices > 0, "no GPU that this libtorch can use");
        return Current.IsCuda ? Current : Device.Cuda();
    }
}
