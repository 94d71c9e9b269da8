using System.Diagnostics;
using MvAdapter.Torch;

namespace MvAdapter.Cli;

/// <summary>How fast a device multiplies matrices, which is nearly all that the model does.</summary>
internal static class ProductRate
{
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(0.5);

    /// <summary>GFLOP/s of products: of ViT-B's own width on a processor, the best that the card does on a GPU.</summary>
    public static double Measure(Device device, DType dtype, CancellationToken cancellation)
    {
        // A processor is filled by one video's tokens at ViT-B's width; a GPU only by a product of a millisecond, beside which the time
        // to ask for one is nothing.
        var (rows, width) = device.IsCpu ? (1024L, 768L) : (8192, 8192);
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        var (x, weight) = (Tensor.RandN([rows, width], device: device).To(dtype), Tensor.RandN([width, width], device: device).To(dtype));
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
