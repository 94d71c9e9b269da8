using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace MvAdapter.Video;

/// <summary>
/// Names a clip's pictures by all that decides them: the file, the part of it, the sampling and the picture's size. What
/// was made from anything else has another key, so that a stale entry is merely not found.
/// </summary>
/// <param name="sampling">Which frames are taken.</param>
/// <param name="imageSize">Width and height of the pictures.</param>
/// <param name="resize">How they are resized (<see cref="Preprocessing.ResizeName"/>); empty for the common way.</param>
internal sealed class FrameCacheKeys(FrameSampling sampling, int imageSize, string resize)
{
    /// <summary>Length of a key, a SHA-256 in hexadecimal digits.</summary>
    public const int Length = 64;

    /// <summary>To be raised whenever decoding or resizing comes to give other pictures.</summary>
    private const int Version = 1;

    private readonly ConcurrentDictionary<string, FileFingerprint> known = new(StringComparer.Ordinal);

    /// <summary>The clip's key; null when its file is not there or cannot be read.</summary>
    public string? Of(VideoClip clip)
    {
        var file = clip.Pictures is null ? FileFingerprint.Of(clip.Path, known.GetValueOrDefault(clip.Path)) : FileFingerprint.OfPictures(clip.Pictures);
        if (file is null) return null;
        if (clip.Pictures is null) known[clip.Path] = file;
        // The path comes last, since it may hold anything.
        var text = string.Create(CultureInfo.InvariantCulture,
            $"{Version}\n{sampling.CacheKey}\n{imageSize}{(resize.Length > 0 ? " " : "")}{resize}\n{clip.Start ?? 0:R}\n{clip.End:R}\n{file.Size}\n{file.Modified.Ticks}\n{file.Hash}\n{Path.GetFullPath(clip.Path)}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
    }
}
