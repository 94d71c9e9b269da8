using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace MvAdapter.Video;

/// <summary>
/// What tells a file from its later self without reading all of it: its size, its time of change, and a hash of its
/// beginning and end, where every container keeps what describes the rest.
/// </summary>
internal sealed record FileFingerprint(long Size, DateTime Modified, string Hash)
{
    private const int Reach = 1 << 16;

    /// <summary>
    /// The file's fingerprint, or null when it is no file that can be read. The hash of <paramref name="known"/> is kept
    /// while size and time are the same.
    /// </summary>
    public static FileFingerprint? Of(string path, FileFingerprint? known = null)
    {
        try
        {
            // A pipe has no length either, and opening it would wait for its writer.
            if (LinkedFile.Find(path) is not { Length: > 0 } file) return null;
            return known is not null && (known.Size, known.Modified) == (file.Length, file.LastWriteTimeUtc)
                ? known
                : new FileFingerprint(file.Length, file.LastWriteTimeUtc, HashEnds(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidFileException)
        {
            return null;
        }
    }

    /// <summary>The hash of an open file's beginning and end.</summary>
    public static string HashEnds(SafeFileHandle handle, string path)
    {
        var length = RandomAccess.GetLength(handle);
        var ends = length <= 2 * Reach
            ? InputFile.ReadBytes(handle, path, 0, (int)length)
            : [.. InputFile.ReadBytes(handle, path, 0, Reach), .. InputFile.ReadBytes(handle, path, length - Reach, Reach)];
        return Convert.ToHexStringLower(SHA256.HashData(ends));
    }

    private static string HashEnds(string path)
    {
        using var handle = InputFile.Open(path);
        return HashEnds(handle, path);
    }
}
