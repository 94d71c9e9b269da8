using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// What tells a file from its later self without reading all of it: its size, its time of change, and a hash of its
/// beginning and end, where every container keeps what describes the rest.
/// </summary>
public sealed record FileFingerprint(long Size, DateTime Modified, string Hash)
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
            if (Directory.Exists(path)) return OfPictures(Pictures.In(path), known);
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

    /// <summary>The same of several pictures that stand for a video: all names, sizes and times, and the first and last one's content.</summary>
    public static FileFingerprint? OfPictures(IReadOnlyList<string> pictures, FileFingerprint? known = null)
    {
        try
        {
            if (pictures.Count == 0) return null;
            var files = pictures.Select(path => (Name: Path.GetFileName(path), File: LinkedFile.Find(path) ?? throw new FileNotFoundException(path))).ToList();
            var (size, modified) = (files.Sum(item => item.File.Length), files.Max(item => item.File.LastWriteTimeUtc));
            if (known is not null && (known.Size, known.Modified) == (size, modified)) return known;
            var text = string.Join('\0', files.Select(item => string.Create(CultureInfo.InvariantCulture, $"{item.Name}/{item.File.Length}")));
            return new FileFingerprint(size, modified,
                Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{text}\0{HashEnds(pictures[0])}{HashEnds(pictures[^1])}"))));
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
