using System.Globalization;

namespace MvAdapter.Video;

/// <summary>One way through a video: the frames that are taken, and the arguments by which ffmpeg takes them.</summary>
/// <param name="path">The video.</param>
/// <param name="info">What it is.</param>
/// <param name="numbers">The frames' numbers, ascending, at least one.</param>
/// <param name="seeks">Whether it may begin in the middle of the file.</param>
internal sealed class DecodingPass(string path, VideoInfo info, int[] numbers, bool seeks = true)
{
    private const double WorthSeekingSeconds = 10;

    // The frame with which decoding begins; the key frames between it and the start need not be decoded.
    private readonly int begin = seeks && info.IsSeekable && numbers[0] >= WorthSeekingSeconds * info.FramesPerSecond ? numbers[0] : 0;

    /// <summary>The video.</summary>
    public string Path => path;

    /// <summary>The pixels of one of its frames.</summary>
    public long Pixels => (long)info.Width * info.Height;

    /// <summary>What is taken.</summary>
    public TakenFrames Taken => new(numbers, info.FramesPerSecond);

    /// <summary>How long ffmpeg may be silent on its way from one of the frames to the next: as long as it takes to play.</summary>
    public TimeSpan Silence => VideoDecoder.PlayingTime(info, numbers.Zip(numbers.Prepend(begin), (number, before) => number - before).Max());

    /// <summary>What names the video to ffmpeg.</summary>
    public IEnumerable<string> Input(VideoDecoderOptions options)
    {
        // Half a frame early, so that rounded time stamps cannot drop the frame itself.
        string[] position = begin > 0 ? ["-ss", VideoDecoder.Seconds(info.StreamOffset + (begin - 0.5) / info.FramesPerSecond)] : [];
        return [.. position, .. options.Decode(path)];
    }

    /// <summary>What writes the frames of an input, by its place among all, to a pipe or file.</summary>
    public IEnumerable<string> Output(int input, string target)
    {
        var select = SelectExpression.For([.. numbers.Select(number => number - begin)]);
        // High dynamic range becomes what the eye sees of it on a screen: white at 203 nits (ITU-R BT.2408), what is brighter bent below it.
        // Read as they are, its colours are pale and dark: a model knows none such.
        var colours = info.IsHdr ? "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=mobius:param=0.8:desat=0,zscale=t=bt709:m=gbr:r=full,format=gbrp"
            : $"scale=flags=bicubic{(info.IsYuv ? ":in_color_matrix=bt601" : "")}";
        // -vsync because -fps_mode came only with ffmpeg 5.1; PPM because each frame then says its own size.
        return
        [
            "-map", string.Create(CultureInfo.InvariantCulture, $"{input}:V:0"), "-vf", $"select='{select}',{colours},format=rgb24",
            "-vsync", "0", "-frames:v", numbers.Length.ToString(CultureInfo.InvariantCulture),
            "-c:v", "ppm", "-threads", "1", "-f", "image2pipe", target,
        ];
    }

    /// <summary>Hands over the frames that come, and returns how many: fewer than asked for where the video ends before.</summary>
    /// <exception cref="VideoException">What comes is no frame.</exception>
    public int Take(MediaOutput output, FrameHandler handle)
    {
        var frames = new PpmReader(output, path);
        var received = 0;
        while (received < numbers.Length && frames.Next()) handle(received++, frames.Rgb, frames.Width, frames.Height);
        return received;
    }
}
