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
    /// <paramref name="videoRate"/> frames per second. Candidates are the frames round((start + s) * videoRate) with
    /// s = 0, 1, 2, ... seconds (or the sampling's own step), before <paramref name="end"/>. Empty only when the
    /// clip starts after the video's last frame.
    /// </summary>
    public static int[] FrameNumbers(
        FrameSampling sampling, int frameCount, double videoRate, double start = 0, double? end = null)
    {
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentOutOfRangeException.ThrowIfNegative(frameCount);
        if (!(videoRate > 0) || !double.IsFinite(videoRate)) throw new ArgumentOutOfRangeException(nameof(videoRate));
        var stop = end is { } seconds ? Math.Min(frameCount, Math.Ceiling(seconds * videoRate)) : frameCount;
        // A rate above the video's own would name frames twice: every frame is then a candidate once.
        var step = Math.Max(1, videoRate / sampling.FramesPerSecond);
        double Number(long k) => step > 1
            ? Math.Round((start + k / sampling.FramesPerSecond) * videoRate)
            : Math.Round(start * videoRate) + k;

        var available = (long)Math.Max(0, Math.Ceiling((stop - Number(0)) / step));
        // The estimate is off by at most one, since rounding moves a frame by at most half a frame.
        while (available > 0 && Number(available - 1) >= stop) available--;
        while (Number(available) < stop) available++;
        return [.. Indices(sampling.Strategy, (int)available, sampling.MaxFrames).Select(k => (int)Number(k))];
    }

    // As NumPy computes it, rounding included: i * step with the last value set exactly.
    private static int Linspace(int i, int last, int count) =>
        i > 0 && i == count - 1 ? last : (int)(i * (last / Math.Max(1.0, count - 1)));
}
