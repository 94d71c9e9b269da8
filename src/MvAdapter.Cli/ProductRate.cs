using System.Diagnostics;
using MvAdapter.Torch;

namespace MvAdapter.Cli;

/// <summary>How fast a device multiplies matrices, which is nearly all that the model does.</summary>
internal static class ProductRate
{
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(0.5);

    /// <summary>GFLOP/s of the products of ViT-B's own width.</summary>
    public static double Measure(Device device, DType dtype, CancellationToken cancellation)
    {
        const long width = 768;
        // A processor fills itself with one video's tokens; a GPU needs a batch of them.
        var rows = device.IsCpu ? 1024 : 1 << 16;
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        var (x, weight) = (Tensor.RandN([rows, width]).To(dtype).To(device), Tensor.RandN([width, width]).To(dtype).To(device));
        Product();   // the first one loads and chooses kernels
        var clock = Stopwatch.StartNew();
        var count = 0;
        for (; clock.Elapsed < Time; count++) Product();
        return 2.0 * rows * width * width * count / clock.Elapsed.TotalSeconds / 1e9;

        void Product()
        {
            cancellation.ThrowIfCancellationRequested();
            (Fused.Serves(x) ? Fused.Linear(x, weight, null) : x.MatMul(weight)).Dispose();
            TorchRuntime.Synchronize(device);
        }
    }
}
