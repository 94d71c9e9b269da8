namespace MvAdapter.Torch;

/// <summary>What a <see cref="TorchWatch"/> looks for.</summary>
[Flags]
public enum WatchKinds
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Places where the processor waits for a GPU.</summary>
    Waits = 1,

    /// <summary>Operators whose results may vary from one run to the next.</summary>
    Varying = 2,
}

/// <summary>
/// Notes what libtorch says while the calling thread works: where it waits for a GPU, and which operators may give other results next time.
/// One a thread, disposed of on the same thread.
/// </summary>
public sealed class TorchWatch : IDisposable
{
    private readonly int thread = Environment.CurrentManagedThreadId;

    /// <summary>Looks on from now.</summary>
    public TorchWatch(WatchKinds kinds) => NativeMethods.Check(NativeMethods.mvt_watch_for((long)kinds), "watch");

    /// <summary>What was noted so far, each as libtorch says it.</summary>
    /// <exception cref="InvalidOperationException">The watch belongs to another thread.</exception>
    public IReadOnlyList<string> Notes
    {
        get
        {
            if (thread != Environment.CurrentManagedThreadId) throw new InvalidOperationException("this watch belongs to another thread");
            NativeMethods.Check(NativeMethods.mvt_watched(out var lines), "watch");
            return NativeMethods.Text(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    /// <summary>Looks away.</summary>
    public void Dispose() => NativeMethods.Check(NativeMethods.mvt_watch_for(0), "watch");
}
