using System.Globalization;

namespace MvAdapter.Video;

/// <summary>Writes clips of videos as files of their own, and their pictures, with ffmpeg.</summary>
public sealed class ClipExporter(VideoDecoderOptions? options = null)
{
    private readonly VideoDecoderOptions options = options ?? new();

    /// <summary>Writes a clip with its sound as an MP4 that any player takes, exactly from start to end.</summary>
    /// <exception cref="VideoException">The clip cannot be decoded or the file not written.</exception>
    public void Cut(VideoClip clip, string output, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        if (Directory.Exists(clip.Path)) throw new VideoException(clip.Path, "is a folder of pictures, of which no clip can be cut");
        var (start, end) = Span(clip, cancellation);
        Run(clip.Path, start, end, output,
        [
            "-t", Seconds(end - start), "-map", "0:V:0", "-map", "0:a:0?",
            // H.264 takes even sizes alone.
            "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p",
            "-c:a", "aac", "-movflags", "+faststart", "-f", "mp4",
        ], cancellation);
    }

    /// <summary>Writes the picture in a clip's middle as a JPEG of at most 320 pixels' width.</summary>
    /// <exception cref="VideoException">The clip cannot be decoded or the file not written.</exception>
    public void Thumbnail(VideoClip clip, string output, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        var (path, (start, end)) = (clip.Path, Span(clip, cancellation));
        var middle = (start + end) / 2;
        if (Directory.Exists(path) && Pictures.In(path) is { Count: > 0 } pictures)
            (path, middle) = (pictures[(int)Math.Clamp(middle * options.PictureRate, 0, pictures.Count - 1)], 0);
        Run(path, middle, end, output,
        [
            "-map", "0:V:0", "-frames:v", "1", "-vf", "scale='min(320,iw)':-2",
            "-q:v", "3", "-c:v", "mjpeg", "-f", "image2", "-update", "1",
        ], cancellation);
    }

    private (double Start, double End) Span(VideoClip clip, CancellationToken cancellation) =>
        (clip.Start ?? 0, clip.End ?? new VideoDecoder(options).Probe(clip.Path, cancellation).Duration);

    private void Run(string path, double from, double end, string output, string[] arguments, CancellationToken cancellation)
    {
        if (!File.Exists(path)) throw new VideoException(path, "the file is gone");
        var partial = Path.GetFullPath(output) + ".part";
        try
        {
            using (var process = new MediaProcess(options.Ffmpeg,
                ["-v", "error", "-nostdin", "-y", "-ss", Seconds(from), .. options.Decode(path), .. arguments, "file:" + partial],
                options.Patience + TimeSpan.FromSeconds(end), cancellation))
            {
                _ = process.Output.Fill(new byte[1]);   // it says nothing, and then ends
                var code = process.WaitForExit(path);
                if (code != 0 || !File.Exists(partial))
                {
                    var reason = process.Complaint ?? $"ffmpeg ended with code {code}";
                    throw new VideoException(path, $"no clip from {Seconds(from)} s can be written: {reason}");
                }
            }
            File.Move(partial, output, overwrite: true);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static string Seconds(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
