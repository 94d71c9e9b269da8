namespace MvAdapter.Torch;

/// <summary>
/// The end of a guard, which undoes a mode of its thread: once, on that thread, and after the guards made inside it.
/// </summary>
internal sealed class GuardEnd
{
    [ThreadStatic] private static int depth;

    private readonly int thread = Environment.CurrentManagedThreadId;
    private readonly int level = ++depth;
    private bool ended;

    /// <summary>Whether the guard must be undone now; false when it was before.</summary>
    /// <exception cref="InvalidOperationException">Another thread, or a guard inside has not ended.</exception>
    public bool Reached()
    {
        if (ended) return false;
        if (thread != Environment.CurrentManagedThreadId || depth != level)
            throw new InvalidOperationException("NoGrad, InferenceMode and Autocast end on the thread that made them, the innermost first");
        depth--;
        return ended = true;
    }
}

/// <summary>Nothing is recorded for gradients until it is disposed, on the thread that made it.</summary>
public sealed class NoGrad : IDisposable
{
    private readonly int before = NativeMethods.mvt_grad_mode(0);
    private readonly GuardEnd end = new();

    /// <summary>Restores the mode of before.</summary>
    public void Dispose()
    {
        if (end.Reached()) _ = NativeMethods.mvt_grad_mode(before);
    }
}

/// <summary>
/// Faster than <see cref="NoGrad"/>: tensors made inside carry no autograd state and can never enter training.
/// Ends on the thread that made it.
/// </summary>
public sealed class InferenceMode : IDisposable
{
    private readonly nint guard;
    private readonly GuardEnd end;

    /// <summary>Enters inference mode on this thread.</summary>
    public InferenceMode()
    {
        NativeMethods.Check(NativeMethods.mvt_inference_mode_enter(out guard), "inference mode");
        end = new GuardEnd();
    }

    /// <summary>Restores the mode of before.</summary>
    public void Dispose()
    {
        if (end.Reached()) NativeMethods.mvt_guard_release(guard);
    }
}

/// <summary>
/// Lets matrix products run in a shorter type on this thread while the rest stays float32; the cache of converted
/// weights is dropped when the outermost one ends, so a training step enters it anew.
/// </summary>
public sealed class Autocast : IDisposable
{
    private readonly nint guard;
    private readonly GuardEnd end;

    /// <summary>Enters autocast for a device, to bfloat16 unless told otherwise.</summary>
    public Autocast(Device device, DType dtype = DType.BFloat16)
    {
        NativeMethods.Check(NativeMethods.mvt_autocast_enter(device.Type, (long)dtype, out guard), "autocast");
        end = new GuardEnd();
    }

    /// <summary>Restores the mode of before.</summary>
    public void Dispose()
    {
        if (end.Reached()) NativeMethods.mvt_guard_release(guard);
    }
}
