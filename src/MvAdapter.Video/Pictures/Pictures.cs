using System.Buffers.Binary;

namespace MvAdapter.Video;

/// <summary>JPEG and PNG pictures: which files are, in which order those of a folder follow each other, and what their headers say.</summary>
public static class Pictures
{
    private const int HeaderBytes = 1 << 18;   // EXIF data and colour profiles stand before a JPEG's size

    /// <summary>Whether a file's name says that it is a picture.</summary>
    public static bool HasName(string path) => Path.GetExtension(path).ToLowerInvariant() is ".jpg" or ".jpeg" or ".png";

    /// <summary>The pictures of a folder, in the natural order of their names: 2 before 10.</summary>
    public static IReadOnlyList<string> In(string folder) =>
        [.. Directory.EnumerateFiles(folder).Where(HasName).OrderBy(Path.GetFileName, Comparer<string?>.Create(static (a, b) => CompareNaturally(a!, b!)))];

    /// <summary>Compares names so that numbers in them count as such, whatever the culture of the process.</summary>
    public static int CompareNaturally(string a, string b)
    {
        var (i, j) = (0, 0);
        while (i < a.Length && j < b.Length)
        {
            if (!char.IsAsciiDigit(a[i]) || !char.IsAsciiDigit(b[j]))
            {
                if (a[i] != b[j]) return a[i].CompareTo(b[j]);
                (i, j) = (i + 1, j + 1);
                continue;
            }
            var first = Number(a, ref i);
            var second = Number(b, ref j);
            // Without leading zeros the longer one is larger.
            var order = first.Length != second.Length ? first.Length.CompareTo(second.Length) : first.SequenceCompareTo(second);
            if (order != 0) return order;
        }
        return (a.Length - i) != (b.Length - j) ? (a.Length - i).CompareTo(b.Length - j) : string.CompareOrdinal(a, b);
    }

    private static ReadOnlySpan<char> Number(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        return text.AsSpan(start, at - start).TrimStart('0');
    }

    /// <summary>ffmpeg's name of the way to read the file as one picture, by its first bytes; null for what is no picture.</summary>
    public static string? Demuxer(string path) => Start(path, 8) switch
    {
        [0xFF, 0xD8, 0xFF, ..] => "jpeg_pipe",
        [0x89, (byte)'P', (byte)'N', (byte)'G', ..] => "png_pipe",
        _ => null,
    };

    /// <summary>A picture as a video of one frame; null for what is no picture.</summary>
    /// <exception cref="VideoException">It is damaged.</exception>
    public static VideoInfo? Describe(string path)
    {
        if (Demuxer(path) is not { } demuxer) return null;
        var (width, height) = (demuxer == "png_pipe" ? PngSize(Start(path, 24)) : JpegSize(Start(path, HeaderBytes)))
            ?? throw new VideoException(path, "is a picture whose header is damaged or cut off");
        return new VideoInfo { Width = width, Height = height, FramesPerSecond = 1, AverageFramesPerSecond = 1, FrameCount = 1, IsYuv = demuxer == "jpeg_pipe" };
    }

    private static byte[] Start(string path, int length)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var bytes = new byte[(int)Math.Min(length, RandomAccess.GetLength(file))];
            return bytes[..RandomAccess.Read(file, bytes, 0)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new VideoException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    private static (int, int)? PngSize(ReadOnlySpan<byte> header) =>
        header.Length == 24 ? Size(BinaryPrimitives.ReadUInt32BigEndian(header[16..]), BinaryPrimitives.ReadUInt32BigEndian(header[20..])) : null;

    // Segments of a marker and a length, until the one that begins a frame: SOF0 to SOF15 but for three of other meaning.
    private static (int, int)? JpegSize(ReadOnlySpan<byte> header)
    {
        for (var at = 2; at + 9 <= header.Length;)
        {
            if (header[at] != 0xFF) return null;
            var marker = header[at + 1];
            if (marker == 0xFF)
            {
                at++;
                continue;
            }
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC))
                return Size(BinaryPrimitives.ReadUInt16BigEndian(header[(at + 7)..]), BinaryPrimitives.ReadUInt16BigEndian(header[(at + 5)..]));
            at += 2 + BinaryPrimitives.ReadUInt16BigEndian(header[(at + 2)..]);
        }
        return null;
    }

    private static (int, int)? Size(uint width, uint height) => width is > 0 and <= int.MaxValue && height is > 0 and <= int.MaxValue ? ((int)width, (int)height) : null;
}
