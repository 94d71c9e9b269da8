using System.Globalization;
using System.Text;

namespace MvAdapter.Video;

/// <summary>Finds where the picture changes at once, by ffmpeg's own measure of a scene change.</summary>
internal sealed class SceneDetector(VideoDecoderOptions options)
{
    // ffmpeg's manual recommends 0.3 to 0.5; small pictures show a cut as well as large ones and cost less.
    private const string Filter = "scale=160:-2,select='gt(scene,0.3)',metadata=print:file=-";
    private const int MaxAnswer = 1 << 24;

    /// <summary>When the changes show, ascending, in seconds from the first frame.</summary>
    public IReadOnlyList<double> Changes(string path, VideoInfo info, CancellationToken cancellation)
    {
        // It is silent while nothing changes.
        using var process = new MediaProcess(options.Ffmpeg,
            ["-v", "error", "-nostdin", .. options.Decode(path), "-map", "0:V:0", "-vf", Filter, "-f", "null", "-"],
            options.Patience + VideoDecoder.PlayingTime(info, info.FrameCount), cancellation);
        var answer = new byte[MaxAnswer];
        var length = process.Output.Fill(answer);
        var exitCode = process.WaitForExit(path);
        if (exitCode != 0) throw new VideoException(path, $"its scenes cannot be found: {process.Complaint ?? $"ffmpeg ended with code {exitCode}"}");
        const string mark = "pts_time:";
        return [.. Encoding.UTF8.GetString(answer, 0, length).Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Where(word => word.StartsWith(mark, StringComparison.Ordinal))
            .Select(word => double.TryParse(word[mark.Length..], NumberStyles.Float, CultureInfo.InvariantCulture, out var time) ? time - info.StreamOffset : 0)
            .Where(time => time > 0).Order()];
    }
}
