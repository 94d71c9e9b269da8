namespace MvAdapter.Torch;

/// <summary>A source of random numbers with a seed and a state that can be saved and restored.</summary>
public sealed class Generator : IDisposable
{
    private nint handle;

    /// <summary>A generator for tensors on a device.</summary>
    public Generator(ulong seed, Device? device = null) =>
        NativeMethods.Check(NativeMethods.mvt_generator_create((device ?? Device.Cpu).Packed, seed, out handle), "generator");

    /// <summary>The safety net for a generator that nobody freed.</summary>
    ~Generator() => Free();

    /// <summary>The whole state, as bytes.</summary>
    public byte[] GetState()
    {
        NativeMethods.Check(NativeMethods.mvt_generator_get_state(Handle, out var state), "generator");
        GC.KeepAlive(this);
        using var tensor = new Tensor(state);
        return tensor.ToArray<byte>();
    }

    /// <summary>Goes on from a state that <see cref="GetState"/> gave.</summary>
    public void SetState(byte[] state)
    {
        using var tensor = Tensor.From(state, state.Length);
        NativeMethods.Check(NativeMethods.mvt_generator_set_state(Handle, tensor.Handle("generator")), "generator");
        GC.KeepAlive(this);
    }

    /// <summary>Seeds the default generators of every device, from which dropout draws.</summary>
    public static void ManualSeed(ulong seed) => NativeMethods.Check(NativeMethods.mvt_manual_seed(seed), "seed");

    /// <summary>Frees the generator.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    internal nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(Generator));

    private void Free()
    {
        var freed = Interlocked.Exchange(ref handle, 0);
        if (freed != 0) NativeMethods.mvt_generator_free(freed);
    }
}
