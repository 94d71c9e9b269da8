using System.Text;

namespace MvAdapter.Video;

/// <summary>What a file is that is no video, by its first bytes: for the line that refuses it.</summary>
internal static class FileKind
{
    private const int Reach = 512;

    private static readonly (string Start, string What)[] Known =
    [
        ("#EXTM3U", "a playlist (HLS), which names other files: give the video itself"),
        ("ffconcat", "a list for ffmpeg, which names other files: give the videos themselves"),
        ("<?xml", "an XML document, such as a playlist (DASH): give the video itself"),
        ("<MPD", "a playlist (DASH), which names other files: give the video itself"),
        ("[playlist]", "a playlist, which names other files: give the video itself"),
        ("<!DOCTYPE", "a web page: give the video itself"), ("<html", "a web page: give the video itself"),
        ("%PDF", "a PDF document"), ("PK\u0003\u0004", "a ZIP archive: unpack it"), ("\u001f\u008b", "a gzip archive: unpack it"),
        ("BM", "a BMP picture; convert it to JPEG or PNG"), ("II*\0", "a TIFF picture; convert it to JPEG or PNG"), ("MM\0*", "a TIFF picture; convert it to JPEG or PNG"),
        ("ID3", "a sound file (MP3)"), ("fLaC", "a sound file (FLAC)"), ("WEBVTT", "subtitles"),
    ];

    /// <summary>In words that follow "is"; null where nothing is known of it.</summary>
    public static string? Of(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var bytes = new byte[Reach];
            var start = Encoding.Latin1.GetString(bytes, 0, RandomAccess.Read(file, bytes, 0)).TrimStart('\u00ef', '\u00bb', '\u00bf');
            if (start.Length >= 12 && start.StartsWith("RIFF", StringComparison.Ordinal))
                return start[8..12] switch { "WEBP" => "a WebP picture; convert it to JPEG or PNG", "WAVE" => "a sound file (WAV)", _ => null };
            if (start.Length >= 12 && start[4..8] == "ftyp" && start[8..12] is "heic" or "heix" or "mif1" or "avif") return "a HEIC or AVIF picture; convert it to JPEG or PNG";
            return Known.FirstOrDefault(kind => start.StartsWith(kind.Start, StringComparison.OrdinalIgnoreCase)).What;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }
}
