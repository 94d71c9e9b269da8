using System.Runtime.InteropServices;
using System.Text;

namespace MvAdapter.Files;

/// <summary>
/// Writes files that are there whole or not at all: a crash, a full disk or an exception midway leaves what stood
/// at the path before.
/// </summary>
public static partial class AtomicFile
{
    /// <summary>Writes UTF-8 text without a byte-order mark.</summary>
    public static void WriteText(string path, string text) =>
        Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Writes what <paramref name="write"/> puts into the stream, which can seek.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        // A link keeps pointing where it did: what it points to is replaced.
        var target = File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
        target = Path.GetFullPath(target);
        if (Directory.Exists(target)) throw new InvalidFileException(path, "is a folder; choose a file name for the output");
        var folder = Path.GetDirectoryName(target)!;
        if (!Directory.Exists(folder))
            throw new MvAdapterException($"folder {TextForMessage.Quote(folder)} does not exist; create it or choose another --output");
        try
        {
            if (IsDevice(target)) WriteInPlace(target, write);
            else WriteBeside(target, folder, write);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be written: {TextForMessage.Quote(exception.Message)}", exception);
        }
    }

    /// <summary>Deletes what processes that were killed while writing have left in a folder.</summary>
    public static void DeleteLeftovers(string folder)
    {
        foreach (var path in Directory.EnumerateFiles(folder, ".*.tmp"))
            if (Guid.TryParseExact(Path.GetFileNameWithoutExtension(path)[1..], "N", out _)) File.Delete(path);
    }

    private static void WriteBeside(string target, string folder, Action<Stream> write)
    {
        var temporary = Path.Combine(folder, $".{Guid.NewGuid():N}.tmp");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        if (OperatingSystem.IsLinux() || OperatingSystem.IsMacOS()) FlushFolder(folder);
    }

    // /dev/null or /dev/stdout as an output must be written to, never renamed over. /dev/shm holds plain files.
    private static bool IsDevice(string path) =>
        File.Exists(path) && path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/dev/shm/", StringComparison.Ordinal);

    private static void WriteInPlace(string device, Action<Stream> write)
    {
        using var whole = new MemoryStream();
        write(whole);
        using var stream = new FileStream(device, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        stream.Write(whole.GetBuffer().AsSpan(0, (int)whole.Length));
    }

    // The rename itself reaches the disk only with its folder. Best effort: some file systems refuse it.
    private static void FlushFolder(string folder)
    {
        const int readOnly = 0;
        var descriptor = Open(folder, readOnly);
        if (descriptor < 0) return;
        _ = Fsync(descriptor);
        _ = Close(descriptor);
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Fsync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);
}
