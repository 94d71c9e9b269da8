using System.Text;

namespace MvAdapter.Torch;

/// <summary>
/// Keys and values that all workers see: where they meet before they have a <see cref="ProcessGroup"/>, and where one says why it goes
/// (torch.distributed's FileStore and TCPStore). A store is used by one thread at a time; another thread opens one of its own.
/// </summary>
public sealed unsafe class RendezvousStore : IDisposable
{
    private nint handle;

    private RendezvousStore(nint handle) => this.handle = handle;

    /// <summary>A store in a file, for workers of one machine. Nothing listens on a port.</summary>
    /// <param name="path">The file; the first to come makes it, and whoever started the workers deletes it.</param>
    /// <exception cref="TorchException">The file cannot be made, or this libtorch has no process groups.</exception>
    public static RendezvousStore OpenFile(string path)
    {
        NativeMethods.Check(NativeMethods.mvt_store_open_file(path, out var store), "the store of the workers");
        return new RendezvousStore(store);
    }

    /// <summary>A store over TCP, for workers of several machines. The server listens on every interface, as torch.distributed's does.</summary>
    /// <param name="host">The server's host.</param>
    /// <param name="port">Its port.</param>
    /// <param name="isServer">Whether this process is the server.</param>
    /// <param name="timeout">How long to try.</param>
    /// <exception cref="TorchException">The server cannot be reached in time, or its port is in use.</exception>
    public static RendezvousStore OpenTcp(string host, int port, bool isServer, TimeSpan timeout)
    {
        NativeMethods.Check(NativeMethods.mvt_store_open_tcp(host, port, isServer ? 1 : 0, (long)timeout.TotalMilliseconds, out var store), "the store of the workers");
        return new RendezvousStore(store);
    }

    /// <summary>Sets a key.</summary>
    /// <exception cref="TorchException">The server is gone.</exception>
    public void Set(string key, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* first = bytes) NativeMethods.Check(NativeMethods.mvt_store_set(Handle, key, first, bytes.Length), key);
    }

    /// <summary>Waits until a key is set, and reads it.</summary>
    /// <exception cref="TorchException">It is not set in time, or the server is gone.</exception>
    public string Wait(string key, TimeSpan timeout) => Read(key, Math.Max(1, (long)timeout.TotalMilliseconds))!;

    /// <summary>Reads a key; null when it is not set.</summary>
    /// <exception cref="TorchException">The server is gone.</exception>
    public string? TryGet(string key) => Read(key, 0);

    /// <summary>Adds to a number, 0 before the first time, and returns the sum.</summary>
    /// <exception cref="TorchException">The server is gone.</exception>
    public long Add(string key, long amount)
    {
        NativeMethods.Check(NativeMethods.mvt_store_add(Handle, key, amount, out var sum), key);
        return sum;
    }

    /// <summary>Leaves the store; the server's end is the store's.</summary>
    public void Dispose()
    {
        if (handle != 0) NativeMethods.mvt_store_free(handle);
        handle = 0;
    }

    internal nint Handle => handle != 0 ? handle : throw new ObjectDisposedException(nameof(RendezvousStore));

    private string? Read(string key, long milliseconds)
    {
        NativeMethods.Check(NativeMethods.mvt_store_get(Handle, key, milliseconds, out var value, out var length), key);
        return value is null ? null : Encoding.UTF8.GetString(value, (int)length);
    }
}
