namespace MvAdapter.Video;

/// <summary>Computes which frames are taken; pure arithmetic, the same for training, evaluation and search.</summary>
public static class FrameSampler
{
    /// <summary>The indices kept of <paramref name="available"/> candidates, ascending; all when they are few enough.</summary>
    public static int[] Indices(FrameStrategy strategy, int available, int maxFrames)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(available);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxFrames, 1);
        var indices = new int[Math.Min(available, maxFrames)];
        for (var i = 0; i < indices.Length; i++)
        {
            indices[i] = available <= maxFrames ? i : strategy switch
            {
                FrameStrategy.Uniform => Linspace(i, available - 1, maxFrames),
                FrameStrategy.Floor => (int)((long)i * available / maxFrames),
                FrameStrategy.Head => i,
                FrameStrategy.Tail => available - maxFrames + i,
                FrameStrategy.Symmetric => (int)((2L * i + 1) * available / (2L * maxFrames)),
                _ => throw new ArgumentOutOfRangeException(nameof(strategy)),
            };
        }
        return indices;
    }

    /// <summary>
    /// The frame numbers taken, ascending, from a video of <paramref name="frameCount"/> frames at
    /// <paramref name="videoRate"/> frames per second. Candidates are counted from the frame round(start * videoRate) by
    /// the sampling's rule, before <paramref name="end"/>: a part of a video gives the frames that it would give as a
    /// file of its own. Empty only when the clip starts after the video's last frame.
    /// </summary>
    /// <param name="sampling">How frames are taken.</param>
    /// <param name="frameCount">Frames that the video has.</param>
    /// <param name="videoRate">Its frames per second: frame n shows at n / rate seconds.</param>
    /// <param name="start">Where the clip begins, seconds.</param>
    /// <param name="end">Where it ends, seconds; null for the video's end.</param>
    /// <param name="averageRate">The average rate, by which the published rule counts; null where it is the same.</param>
    public static int[] FrameNumbers(
        FrameSampling sampling, int frameCount, double videoRate, double start = 0, double? end = null, double? averageRate = null)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentOutOfRangeException.ThrowIfNegative(frameCount);
        if (!(videoRate > 0) || !double.IsFinite(videoRate)) throw new ArgumentOutOfRangeException(nameof(videoRate));
        var stop = end is { } seconds ? Math.Min(frameCount, Math.Ceiling(seconds * videoRate)) : frameCount;
        var framesPerSecond = Math.Floor(averageRate ?? videoRate);
        var published = sampling.CountsAsPublished && framesPerSecond >= 1;
        // A rate above the video's own would name frames twice: every frame is then a candidate once.
        var step = Math.Max(1, (published ? framesPerSecond : videoRate) / sampling.FramesPerSecond);
        double Number(long k) => step == 1 ? Math.Round(start * videoRate) + k
            : published ? Math.Round(start * videoRate) + Published(k, (long)framesPerSecond, (long)sampling.FramesPerSecond)
            : Math.Round((start + k / sampling.FramesPerSecond) * videoRate);

        var available = (long)Math.Max(0, Math.Ceiling((stop - Number(0)) / step));
        // The estimate may be off: rounding moves a frame by half a frame, and the published rule those of a second a little.
        while (available > 0 && Number(available - 1) >= stop) available--;
        while (Number(available) < stop) available++;
        return [.. Indices(sampling.Strategy, (int)available, sampling.MaxFrames).Select(k => (int)Number(k))];
    }

    /// <summary>The same for a video that has been described.</summary>
    internal static int[] FrameNumbers(FrameSampling sampling, VideoInfo info, VideoClip clip) =>
        FrameNumbers(sampling, info.FrameCount, info.FramesPerSecond, clip.Start ?? 0, clip.End, info.AverageFramesPerSecond);

    // Candidate k: so many whole seconds of int(rate) frames, and a steady step within the second.
    private static long Published(long k, long framesPerSecond, long rate) =>
        k / rate * framesPerSecond + k % rate * (framesPerSecond / rate);

    // As NumPy computes it, rounding included: i * step with the last value set exactly.
    private static int Linspace(int i, int last, int count) =>
        i > 0 && i == count - 1 ? last : (int)(i * (last / Math.Max(1.0, count - 1)));
}
