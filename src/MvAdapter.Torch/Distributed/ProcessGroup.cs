namespace MvAdapter.Torch;

/// <summary>
/// Workers that compute together, by torch.distributed's own back ends: Gloo over TCP for tensors in main memory, NCCL for those of
/// GPUs. Every worker calls the same functions in the same order, with tensors of the same shapes.
/// </summary>
public sealed unsafe class ProcessGroup : IDisposable
{
    private const long Gloo = 1;
    private const long Nccl = 2;
    private nint handle;

    private ProcessGroup(nint handle, int rank, int worldSize, Device device) => (this.handle, Rank, WorldSize, Device) = (handle, rank, worldSize, device);

    /// <summary>This worker's number, from 0.</summary>
    public int Rank { get; }

    /// <summary>How many workers there are.</summary>
    public int WorldSize { get; }

    /// <summary>Where the tensors of this group lie.</summary>
    public Device Device { get; }

    /// <summary>Whether groups for tensors there can be had: what this libtorch and this build of libmvtorch have.</summary>
    public static bool IsAvailable(Device device)
    {
        NativeMethods.Check(NativeMethods.mvt_distributed_backends(out var backends), "process groups");
        return (backends & BackendOf(device)) != 0;
    }

    /// <summary>Opens a group; returns when all of its workers are there.</summary>
    /// <param name="store">Where they meet.</param>
    /// <param name="name">The group's name, the same for all.</param>
    /// <param name="rank">This worker's number.</param>
    /// <param name="worldSize">How many there are.</param>
    /// <param name="device">Where the tensors lie, which chooses the back end.</param>
    /// <param name="address">The address or name by which the others reach this machine.</param>
    /// <param name="timeout">How long an operation waits for the others.</param>
    /// <exception cref="TorchException">Not all have come in time, or the back end is missing.</exception>
    public static ProcessGroup Open(RendezvousStore store, string name, int rank, int worldSize, Device device, string address, TimeSpan timeout)
    {
        NativeMethods.Check(NativeMethods.mvt_group_open(store.Handle, name, BackendOf(device), rank, worldSize, address, (long)timeout.TotalMilliseconds, out var group),
            $"the group of {worldSize} workers");
        return new ProcessGroup(group, rank, worldSize, device);
    }

    /// <summary>Replaces a tensor by the sum over the workers.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public void AllReduce(Tensor tensor)
    {
        NativeMethods.Check(NativeMethods.mvt_group_all_reduce(Handle, tensor.Handle("all_reduce"), out var work), "all_reduce");
        Finish(work, "all_reduce");
        GC.KeepAlive(tensor);
    }

    /// <summary>Replaces a tensor by that of one worker.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public void Broadcast(Tensor tensor, int root = 0)
    {
        NativeMethods.Check(NativeMethods.mvt_group_broadcast(Handle, tensor.Handle("broadcast"), root, out var work), "broadcast");
        Finish(work, "broadcast");
        GC.KeepAlive(tensor);
    }

    /// <summary>The tensors of all workers, in the order of their ranks.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public Tensor[] AllGather(Tensor tensor)
    {
        var parts = Enumerable.Range(0, WorldSize).Select(_ => Tensor.Empty([.. tensor.Shape], tensor.DType, tensor.Device)).ToArray();
        var handles = Array.ConvertAll(parts, part => part.Handle("all_gather"));
        nint work;
        fixed (nint* list = handles)
            NativeMethods.Check(NativeMethods.mvt_group_all_gather(Handle, tensor.Handle("all_gather"), list, handles.Length, out work), "all_gather");
        Finish(work, "all_gather");
        GC.KeepAlive(tensor);
        return parts;
    }

    /// <summary>The bytes of all workers, each of its own length.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public byte[][] AllGather(ReadOnlySpan<byte> bytes)
    {
        using var scope = new TensorScope();
        var lengths = Array.ConvertAll(AllGather(Tensor.From<long>([bytes.Length], 1).To(Device)), length => length.ToArray<long>()[0]);
        var most = lengths.Max();
        if (most == 0) return Array.ConvertAll(lengths, _ => Array.Empty<byte>());
        var padded = new byte[most];
        bytes.CopyTo(padded);
        var all = AllGather(Tensor.From(padded, most).To(Device));
        return [.. all.Zip(lengths, (part, length) => part.ToBytes()[..(int)length])];
    }

    /// <summary>Returns when all workers have called it.</summary>
    /// <exception cref="TorchException">A worker is gone, or has not come in time.</exception>
    public void Barrier() => AllGather([]);

    /// <summary>Leaves the group.</summary>
    public void Dispose()
    {
        if (handle != 0) NativeMethods.mvt_group_free(handle);
        handle = 0;
    }

    internal nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(ProcessGroup));

    private static long BackendOf(Device device) => device.IsCuda ? Nccl : Gloo;

    private static void Finish(nint work, string what)
    {
        var status = NativeMethods.mvt_work_wait(work);
        var reason = status == 0 ? "" : NativeMethods.LastError;
        NativeMethods.mvt_work_free(work);
        if (status != 0) throw new TorchException($"{what}: {reason}");
    }
}
