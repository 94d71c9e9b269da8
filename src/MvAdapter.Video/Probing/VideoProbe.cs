using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>Says what a video file is: from its header where that is plain, else by asking ffprobe.</summary>
internal sealed class VideoProbe(VideoDecoderOptions options)
{
    private const int MaxAnswer = 1 << 20;
    private const double UnknownRate = 25;
    private static readonly ConcurrentDictionary<string, bool> ToneMappers = new(StringComparer.Ordinal);   // by program

    /// <summary>Describes the first video stream (cover pictures of music files are none).</summary>
    public VideoInfo Read(string path, CancellationToken cancellation)
    {
        if (PictureSequence.Of(new VideoClip(path)) is { } pictures) return pictures.Info(options.PictureRate);
        RefuseNonFile(path);
        cancellation.ThrowIfCancellationRequested();
        if (MovHeader.Read(path) is { } info && (long)info.Width * info.Height <= options.MaxPixels) return info;
        if (Pictures.Describe(path) is not { } picture) return ReadByFfprobe(path, cancellation);
        RefuseTooLarge(path, picture.Width, picture.Height);
        return picture;
    }

    /// <summary>The same from ffprobe alone.</summary>
    internal VideoInfo ReadByFfprobe(string path, CancellationToken cancellation)
    {
        using var answer = Ask(path, options.Patience, cancellation, "-show_entries",
            "stream=width,height,pix_fmt,color_transfer,avg_frame_rate,r_frame_rate,nb_frames,duration,start_time:stream_tags=DURATION"
            + ":format=format_name,duration,start_time");
        var stream = Stream(answer, path);
        var format = answer.RootElement.GetProperty("format");

        int width = (int)Number(stream, "width"), height = (int)Number(stream, "height");
        if (width < 1 || height < 1) throw new VideoException(path, "its video stream has no picture size: damaged, or an unknown codec");
        RefuseTooLarge(path, width, height);

        double average = Rate(stream, "avg_frame_rate"), nominal = Rate(stream, "r_frame_rate");
        // The nominal rate is what others count with, but in videos of varying rate it may be anything.
        var rate = average > 0 && Math.Abs(nominal / average - 1) > 0.1 ? average : nominal;
        if (!(rate > 0)) rate = UnknownRate;
        var duration = FirstPositive(Number(stream, "duration"), TagDuration(stream), Number(format, "duration"));
        var declared = Number(stream, "nb_frames");
        var frames = FirstPositive(declared, Math.Round(duration * rate));
        if (frames == 0) frames = Count(path, "packets", options.Patience, cancellation);

        return new VideoInfo
        {
            Width = width,
            Height = height,
            FramesPerSecond = rate,
            AverageFramesPerSecond = average > 0 ? average : rate,
            FrameCount = (int)Math.Clamp(frames, 1, int.MaxValue),
            // Only these containers give every frame an exact time; in AVI, for one, times are guessed and may be one off.
            IsSeekable = Text(format, "format_name").StartsWith("mov,", StringComparison.Ordinal)
                && average == nominal && declared > 0 && Math.Abs(duration * rate - declared) < 1.5,
            StreamOffset = Number(stream, "start_time") - Number(format, "start_time"),
            IsHdr = Text(stream, "color_transfer") is "smpte2084" or "arib-std-b67" && MapsTones(path, cancellation),
            IsYuv = Text(stream, "pix_fmt").StartsWith("yuv", StringComparison.Ordinal)
                || Text(stream, "pix_fmt").StartsWith("nv", StringComparison.Ordinal),
        };
    }

    // Not every ffmpeg is built with zimg.
    private bool MapsTones(string path, CancellationToken cancellation)
    {
        var maps = ToneMappers.GetOrAdd(options.Ffmpeg, ffmpeg =>
        {
            using var process = new MediaProcess(ffmpeg, ["-v", "error", "-filters"], options.Patience, cancellation);
            var answer = new byte[MaxAnswer];
            var text = Encoding.UTF8.GetString(answer, 0, process.Output.Fill(answer));
            return text.Contains(" zscale ", StringComparison.Ordinal) && text.Contains(" tonemap ", StringComparison.Ordinal);
        });
        if (!maps) VideoDecoderOptions.Warn?.Invoke($"{TextForMessage.Quote(path)} is of high dynamic range, and this ffmpeg, built without zimg (zscale), cannot map its colours: they will be pale");
        return maps;
    }

    private void RefuseTooLarge(string path, int width, int height)
    {
        if ((long)width * height > options.MaxPixels)
            throw new VideoException(path, $"frames of {width}x{height} pixels are too large: at most {options.MaxPixels} pixels are read");
    }

    /// <summary>Decodes the whole stream and counts its frames.</summary>
    public int CountFrames(string path, VideoInfo info, CancellationToken cancellation) =>
        Count(path, "frames", options.Patience + VideoDecoder.PlayingTime(info, info.FrameCount), cancellation);

    private int Count(string path, string what, TimeSpan patience, CancellationToken cancellation)
    {
        using var answer = Ask(path, patience, cancellation, $"-count_{what}", "-show_entries", $"stream=nb_read_{what}");
        return (int)Math.Clamp(Number(Stream(answer, path), $"nb_read_{what}"), 0, int.MaxValue);
    }

    private JsonDocument Ask(string path, TimeSpan patience, CancellationToken cancellation, params string[] question)
    {
        string[] arguments = ["-v", "error", .. question, "-select_streams", "V:0", "-of", "json", .. options.Input(path)];
        using var process = new MediaProcess(options.Ffprobe, arguments, patience, cancellation);
        var answer = new byte[MaxAnswer];
        var length = process.Output.Fill(answer);
        if (length == MaxAnswer) throw new VideoException(path, "its description is too long to be a video's");
        var exitCode = process.WaitForExit(path);
        if (exitCode != 0)
        {
            var complaint = process.Complaint ?? $"ffprobe ended with code {exitCode}";
            throw new VideoException(path, FileKind.Of(path) is { } kind ? $"is {kind}"
                : complaint.StartsWith("Format not on whitelist", StringComparison.Ordinal) ? "is of a kind that is not read, since it may name other files; give a video, or JPEG or PNG pictures"
                : $"not a video that ffmpeg can read: {complaint}");
        }
        try
        {
            return JsonDocument.Parse(answer.AsMemory(0, length));
        }
        catch (JsonException error)
        {
            throw new VideoException(path, "ffprobe described it in a way that cannot be read", error);
        }
    }

    private static void RefuseNonFile(string path)
    {
        // Bytes that are no UTF-8 come as U+FFFD, by which no file is found again.
        var file = LinkedFile.Find(path) ?? throw new VideoException(path, path.Contains('\uFFFD', StringComparison.Ordinal)
            ? "the name is not UTF-8, so the file cannot be opened; rename it" : "no such file");
        // To open a pipe would wait for whoever writes into it.
        if (file.Length == 0) throw new VideoException(path, "the file is empty, or is a pipe or a device");
    }

    private static JsonElement Stream(JsonDocument answer, string path) =>
        answer.RootElement.TryGetProperty("streams", out var streams) && streams.GetArrayLength() > 0
            ? streams[0]
            : throw new VideoException(path, "holds no video stream (audio only?)");

    private static string Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) ? value.ToString() : "";

    private static double Number(JsonElement element, string name) => Parse(Text(element, name));

    private static double Parse(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : 0;

    // Such as 30000/1001; 0/0 where ffprobe does not know.
    private static double Rate(JsonElement stream, string name) =>
        Text(stream, name).Split('/') is [var above, var below] && Parse(below) > 0 ? Parse(above) / Parse(below) : 0;

    // Matroska keeps a stream's own duration in a tag: 00:00:04.000000000.
    private static double TagDuration(JsonElement stream) =>
        stream.TryGetProperty("tags", out var tags) && Text(tags, "DURATION").Split(':') is [var hours, var minutes, var seconds]
            ? Parse(hours) * 3600 + Parse(minutes) * 60 + Parse(seconds)
            : 0;

    private static double FirstPositive(params ReadOnlySpan<double> values)
    {
        foreach (var value in values)
            if (value > 0) return value;
        return 0;
    }
}
