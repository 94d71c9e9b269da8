using Microsoft.Win32.SafeHandles;

namespace MvAdapter.Files;

/// <summary>Opening files that a user named, with one clear line for each way in which that goes wrong.</summary>
public static class InputFile
{
    /// <summary>Opens a file for reading at any position.</summary>
    public static SafeFileHandle Open(string path)
    {
        if (Directory.Exists(path)) throw new InvalidFileException(path, "is a folder, not a file");
        if (!File.Exists(path)) throw new InvalidFileException(path, "does not exist");
        try
        {
            var handle = File.OpenHandle(path);
            if (RandomAccess.GetLength(handle) > 0) return handle;
            handle.Dispose();
            throw new InvalidFileException(path, "is empty");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(exception.Message)}", exception);
        }
    }

    /// <summary>Reads exactly <paramref name="length"/> bytes into an array of their own; the caller has checked that the file is long enough.</summary>
    public static byte[] ReadBytes(SafeFileHandle handle, string path, long offset, int length)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(length);
        var done = 0;
        try
        {
            while (done < length)
            {
                var count = RandomAccess.Read(handle, bytes.AsSpan(done), offset + done);
                if (count == 0) throw new InvalidFileException(path, "is cut off (it shrank while it was read)");
                done += count;
            }
        }
        catch (IOException exception)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(exception.Message)}", exception);
        }
        return bytes;
    }
}
