namespace MvAdapter.Torch;

/// <summary>
/// Sums the gradients of parameters over the workers of a group. They travel in flat buckets, and those of an armed backward pass
/// while it still runs (PyTorch Distributed, VLDB 2020, section 3.2.3).
/// </summary>
public sealed unsafe class GradientReducer : IDisposable
{
    private const long BucketBytes = 4 << 20;
    private readonly Tensor[] parameters;
    private nint handle;

    /// <summary>A reducer of parameters that have their <see cref="Tensor.RequiresGrad"/> set, in the same order on every worker.</summary>
    /// <exception cref="TorchException">A parameter is no float32 leaf that requires a gradient.</exception>
    public GradientReducer(ProcessGroup group, IReadOnlyList<Tensor> parameters)
    {
        this.parameters = [.. parameters];
        var handles = Array.ConvertAll(this.parameters, parameter => parameter.Handle("reduce"));
        fixed (nint* list = handles)
            NativeMethods.Check(NativeMethods.mvt_reducer_create(group.Handle, list, handles.Length, BucketBytes, out handle), "reduce");
    }

    /// <summary>Bytes of gradients of a step; 0 before the first.</summary>
    public long Bytes { get; private set; }

    /// <summary>Says that the next backward pass is a step's last. All such passes must give the parameters their gradients alike.</summary>
    public void Arm() => NativeMethods.Check(NativeMethods.mvt_reducer_arm(Handle), "reduce");

    /// <summary>Ends a step: every gradient is the sum over the workers. A parameter without a gradient stays so.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public void Finish()
    {
        NativeMethods.Check(NativeMethods.mvt_reducer_finish(Handle, out var bytes), "all_reduce");
        Bytes = bytes;
        GC.KeepAlive(parameters);
    }

    /// <summary>Stops listening to the parameters.</summary>
    public void Dispose()
    {
        if (handle != 0) NativeMethods.mvt_reducer_free(handle);
        handle = 0;
    }

    private nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(GradientReducer));
}
