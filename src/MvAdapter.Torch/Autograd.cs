namespace MvAdapter.Torch;

public sealed unsafe partial class Tensor
{
    /// <summary>Whether operations on this tensor are recorded for gradients.</summary>
    public bool RequiresGrad
    {
        get => (Flags & 2) != 0;
        set => NativeMethods.Check(NativeMethods.mvt_set_requires_grad(Handle("requires_grad"), value ? 1 : 0), "requires_grad");
    }

    /// <summary>The gradient gathered by <see cref="Backward"/>, or null. Each read gives a new handle.</summary>
    public Tensor? Grad
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_get_grad(Handle("grad"), out var gradient), "grad");
            return gradient == 0 ? null : new Tensor(gradient);
        }
        set
        {
            NativeMethods.Check(NativeMethods.mvt_set_grad(Handle("grad"), value?.Handle("grad") ?? 0), "grad");
            GC.KeepAlive(value);
        }
    }

    /// <summary>Adds the gradient of this tensor to the <see cref="Grad"/> of every leaf it depends on.</summary>
    /// <param name="gradient">The gradient of the loss by this tensor; may be null for a scalar.</param>
    /// <param name="keepGraph">Whether a second backward pass will follow.</param>
    /// <exception cref="TorchException">Nothing requires a gradient, or the graph has been freed.</exception>
    public void Backward(Tensor? gradient = null, bool keepGraph = false) => Autograd.Backward([this], gradient is null ? null : [gradient], keepGraph);
}

/// <summary>Gradients of several tensors at once.</summary>
public static unsafe class Autograd
{
    /// <summary>Backward from several tensors with their gradients (null for scalars) in one pass.</summary>
    public static void Backward(Tensor[] tensors, Tensor[]? gradients = null, bool keepGraph = false)
    {
        fixed (nint* handles = Handles(tensors))
        fixed (nint* seeds = gradients is null ? null : Handles(gradients))
            NativeMethods.Check(NativeMethods.mvt_backward(handles, tensors.Length, seeds, keepGraph ? 1 : 0), "backward");
        GC.KeepAlive(tensors);
        GC.KeepAlive(gradients);
    }

    /// <summary>The gradients of the outputs' sum by the inputs, without touching <see cref="Tensor.Grad"/>; null for an unused input.</summary>
    public static Tensor?[] Gradient(Tensor[] outputs, Tensor[] inputs, Tensor[]? outputGradients = null, bool keepGraph = false)
    {
        var results = new nint[inputs.Length];
        fixed (nint* o = Handles(outputs), i = Handles(inputs), r = results)
        fixed (nint* seeds = outputGradients is null ? null : Handles(outputGradients))
            NativeMethods.Check(NativeMethods.mvt_gradient(o, outputs.Length, seeds, i, inputs.Length, keepGraph ? 1 : 0, r), "gradient");
        GC.KeepAlive(outputs);
        GC.KeepAlive(inputs);
        GC.KeepAlive(outputGradients);
        return Array.ConvertAll(results, handle => handle == 0 ? null : new Tensor(handle));
    }

    private static nint[] Handles(Tensor[] tensors) => Array.ConvertAll(tensors, tensor => tensor.Handle("autograd"));
}

/// <summary>Nothing is recorded for gradients until it is disposed, on the thread that made it.</summary>
public sealed class NoGrad : IDisposable
{
    private readonly int before = NativeMethods.mvt_grad_mode(0);
    private bool ended;

    /// <summary>Restores the mode of before.</summary>
    public void Dispose()
    {
        if (ended) return;
        ended = true;
        _ = NativeMethods.mvt_grad_mode(before);
    }
}

/// <summary>
/// Faster than <see cref="NoGrad"/>: tensors made inside carry no autograd state and can never enter training.
/// Ends on the thread that made it.
/// </summary>
public sealed class InferenceMode : IDisposable
{
    private nint guard;

    /// <summary>Enters inference mode on this thread.</summary>
    public InferenceMode() => NativeMethods.Check(NativeMethods.mvt_inference_mode_enter(out guard), "inference mode");

    /// <summary>Restores the mode of before.</summary>
    public void Dispose() => NativeMethods.mvt_guard_release(Interlocked.Exchange(ref guard, 0));
}

/// <summary>
/// Lets matrix products run in a shorter type on this thread while the rest stays float32; the cache of converted
/// weights is dropped when the outermost one ends, so a training step enters it anew.
/// </summary>
public sealed class Autocast : IDisposable
{
    private nint guard;

    /// <summary>Enters autocast for a device, to bfloat16 unless told otherwise.</summary>
    public Autocast(Device device, DType dtype = DType.BFloat16) =>
        NativeMethods.Check(NativeMethods.mvt_autocast_enter(device.Type, (long)dtype, out guard), "autocast");

    /// <summary>Restores the mode of before.</summary>
    public void Dispose() => NativeMethods.mvt_guard_release(Interlocked.Exchange(ref guard, 0));
}
