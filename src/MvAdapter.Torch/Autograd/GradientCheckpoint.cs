using System.Runtime.InteropServices;

namespace MvAdapter.Torch;

/// <summary>
/// Gradient checkpointing (arXiv 1604.06174): a part of a computation keeps only its input, and is computed once more when its
/// gradient is wanted. It costs the part's forward pass again and saves the memory of all that it computes on the way.
/// </summary>
public static unsafe class GradientCheckpoint
{
    /// <summary>Runs the segment so. Where no gradient is recorded, it is simply run.</summary>
    /// <param name="x">The segment's input.</param>
    /// <param name="segment">
    /// Makes the output from the input. It is called again during the backward pass, maybe on another thread, with the same random numbers;
    /// trained tensors that it uses besides its input must be leaves, and what else it uses must live until then. Its output must be its own.
    /// </param>
    /// <exception cref="TorchException">The backward pass reports a segment that failed when it was called again.</exception>
    public static Tensor Run(Tensor x, Func<Tensor, Tensor> segment)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(segment);
        if (NativeMethods.mvt_grad_mode(-1) == 0) return segment(x);
        var call = new Call(segment);
        var state = GCHandle.ToIntPtr(GCHandle.Alloc(call));   // Release frees it
        var status = NativeMethods.mvt_checkpoint(x.Handle("checkpoint"), &Forward, &Release, state, out var result);
        GC.KeepAlive(x);
        if (status == 0) return new Tensor(result);
        if (call.Failure is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        throw new TorchException($"checkpoint({x.Describe()}): {NativeMethods.LastError}");
    }

    private sealed record Call(Func<Tensor, Tensor> Segment)
    {
        public Exception? Failure { get; set; }
    }

    // No exception may cross into native code.
    [UnmanagedCallersOnly]
    private static int Forward(nint state, nint x, nint* y)
    {
        var call = (Call)GCHandle.FromIntPtr(state).Target!;
        try
        {
            using var scope = new TensorScope();
            *y = call.Segment(new Tensor(x)).Release();
            return 0;
        }
        catch (Exception failure)
        {
            call.Failure = failure;
            return 1;
        }
    }

    [UnmanagedCallersOnly]
    private static void Release(nint state) => GCHandle.FromIntPtr(state).Free();
}
