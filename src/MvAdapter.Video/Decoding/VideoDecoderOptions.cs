using System.Globalization;

namespace MvAdapter.Video;

/// <summary>How the ffmpeg programs are run.</summary>
public sealed record VideoDecoderOptions
{
    // Containers that hold their pictures themselves. Playlists and scripts (HLS, DASH, concat, image patterns) name
    // other files or addresses, and a video from a stranger must not make us open those.
    private const string Containers =
        "mov,matroska,avi,flv,live_flv,mpegts,mpeg,mpegvideo,m4v,h263,h264,hevc,av1,obu,ivf,vc1,asf,ogg,rm,gif,apng,"
        + "mxf,nut,dv,dirac,wtv,mjpeg,yuv4mpegpipe,jpeg_pipe,png_pipe";

    /// <summary>The ffmpeg program: a name looked up in PATH, or a path.</summary>
    public string Ffmpeg { get; init; } = "ffmpeg";

    /// <summary>The ffprobe program: a name looked up in PATH, or a path.</summary>
    public string Ffprobe { get; init; } = "ffprobe";

    /// <summary>Decoding threads of one ffmpeg; one is best where several videos are decoded at once.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>How long a program may be silent before it is killed (on top of the playing time it has to skip).</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The most pixels of a frame that are read; a frame takes three bytes a pixel here, and more in ffmpeg.</summary>
    public int MaxPixels { get; init; } = VideoDecoder.MaxPixels;

    /// <summary>The rate at which the pictures of a folder were extracted from their video.</summary>
    public double PictureRate { get; init; } = 1;

    /// <summary>What decodes, by ffmpeg's name such as <c>cuda</c> or <c>vaapi</c> (<see cref="HardwareDecoding"/>); null for the processor.</summary>
    public string? Hardware { get; init; } = Environment.GetEnvironmentVariable(HardwareDecoding.Variable) is { Length: > 0 } way ? way : null;

    /// <summary>Told, in a line each, of damaged pictures of a folder that are passed over; null for nobody.</summary>
    public static Action<string>? Warn { get; set; }

    /// <summary>The arguments that make ffmpeg decode one local file.</summary>
    internal string[] Decode(string path) => [.. Hardware is { } way ? ["-hwaccel", way] : Array.Empty<string>(), .. Input(path)];

    /// <summary>The arguments that make both programs read one local file, whatever its name looks like.</summary>
    internal string[] Input(string path) =>
    [
        "-threads", Math.Max(1, Threads).ToString(CultureInfo.InvariantCulture),
        "-max_pixels", MaxPixels.ToString(CultureInfo.InvariantCulture),
        "-protocol_whitelist", "file,pipe", "-format_whitelist", Containers,
        .. Pictures.Demuxer(path) is { } demuxer ? ["-f", demuxer] : Array.Empty<string>(),
        "-i", "file:" + Path.GetFullPath(path),
    ];
}
