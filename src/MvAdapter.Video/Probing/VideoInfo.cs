namespace MvAdapter.Video;

/// <summary>What a video file says about its first video stream.</summary>
public sealed record VideoInfo
{
    /// <summary>Width in pixels as stored, before any rotation for display.</summary>
    public required int Width { get; init; }

    /// <summary>Height in pixels as stored, before any rotation for display.</summary>
    public required int Height { get; init; }

    /// <summary>Frames per second; the average one where the rate varies.</summary>
    public required double FramesPerSecond { get; init; }

    /// <summary>The average of frames per second, which is what OpenCV reports and the published extraction counts by.</summary>
    public required double AverageFramesPerSecond { get; init; }

    /// <summary>
    /// Number of frames as the container declares it, or else the duration times the rate. Decoding may find fewer.
    /// </summary>
    public required int FrameCount { get; init; }

    /// <summary>Duration in seconds.</summary>
    public double Duration => FrameCount / FramesPerSecond;

    /// <summary>Whether frame numbers follow from times, so that a frame can be sought by its time.</summary>
    internal bool IsSeekable { get; init; }

    /// <summary>Seconds between the file's first time stamp and the video stream's.</summary>
    internal double StreamOffset { get; init; }

    /// <summary>Whether its colours are of high dynamic range (PQ or HLG) and can be brought to what a screen shows.</summary>
    internal bool IsHdr { get; init; }

    /// <summary>Whether frames are stored as luminance and colour differences.</summary>
    internal bool IsYuv { get; init; }
}
