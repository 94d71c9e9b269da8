using System.Globalization;

namespace MvAdapter.Video;

/// <summary>Takes one decoded frame; the pixels are valid only during the call.</summary>
/// <param name="index">Position among the frames taken, from 0.</param>
/// <param name="rgb">The pixels, [height, width, 3].</param>
/// <param name="width">Width in pixels, rotated for display.</param>
/// <param name="height">Height in pixels, rotated for display.</param>
public delegate void FrameHandler(int index, ReadOnlySpan<byte> rgb, int width, int height);

/// <summary>Which frames of a video were taken.</summary>
/// <param name="Numbers">Frame numbers as a sequential reader counts them, from 0.</param>
/// <param name="FramesPerSecond">The video's rate: frame n shows at n / rate seconds.</param>
public sealed record TakenFrames(IReadOnlyList<int> Numbers, double FramesPerSecond)
{
    /// <summary>When the frames show, in seconds from the video's beginning.</summary>
    public IReadOnlyList<double> Times => [.. Numbers.Select(number => number / FramesPerSecond)];
}

/// <summary>
/// Decodes the frames that a sampling asks for with the ffmpeg program in a child process, so that a hostile file can
/// harm only the child. Colours are converted as OpenCV does, with which published models were trained: BT.601, bicubic.
/// <para>
/// A file that ends before its declared end: when ffmpeg reports damage and less than nine tenths of the frames exist,
/// it is refused, since half a video must not pass for the whole. Otherwise the container merely declared too many
/// frames (edit lists and estimates do), and the sampling is repeated over the frames that exist.
/// </para>
/// </summary>
public sealed class VideoDecoder(VideoDecoderOptions? options = null)
{
    /// <summary>The most pixels of one frame that are read (16384 x 8192); larger ones are refused.</summary>
    public const int MaxPixels = 1 << 27;

    private const double WholeEnough = 0.9;
    private const string StandardOutput = "pipe:1";
    private readonly VideoDecoderOptions options = options ?? new();
    private readonly VideoProbe probe = new(options ?? new());

    /// <summary>Describes a video without decoding it.</summary>
    /// <exception cref="VideoException">It cannot be read, or holds no video.</exception>
    public VideoInfo Probe(string path, CancellationToken cancellation = default) => probe.Read(path, cancellation);

    /// <summary>When the picture changes at once, as at a cut: seconds from the first frame, ascending. Decodes the whole video.</summary>
    /// <exception cref="VideoException">It cannot be read, or holds no video.</exception>
    public IReadOnlyList<double> SceneChanges(string path, CancellationToken cancellation = default) =>
        Directory.Exists(path) ? [] : new SceneDetector(options).Changes(path, probe.Read(path, cancellation), cancellation);

    /// <summary>
    /// Hands the frames of a clip to <paramref name="handle"/> one at a time, in order. Where the file turns out shorter
    /// than declared, the frames are handed over again from index 0; the result names those that count.
    /// </summary>
    /// <exception cref="VideoException">The clip cannot be decoded; the message says why.</exception>
    public TakenFrames Decode(VideoClip clip, FrameSampling sampling, FrameHandler handle, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        ArgumentNullException.ThrowIfNull(sampling);
        ArgumentNullException.ThrowIfNull(handle);
        RefuseImpossibleTimes(clip);
        if (PictureSequence.Of(clip) is { } pictures)
            return new TakenFrames(pictures.Decode(Choose(clip, sampling, pictures.Info(sampling.PictureRate)), this, handle, VideoDecoderOptions.Warn, cancellation), sampling.PictureRate);
        var info = probe.Read(clip.Path, cancellation);
        var numbers = Choose(clip, sampling, info);
        var received = Run(new DecodingPass(clip.Path, info, numbers), handle, cancellation, out var complaint);
        if (received < numbers.Length)
        {
            var declared = info.FrameCount;
            info = info with { FrameCount = probe.CountFrames(clip.Path, info, cancellation) };
            if (info.FrameCount == 0 || (complaint is not null && info.FrameCount < WholeEnough * declared))
                throw new VideoException(clip.Path, $"only {info.FrameCount} of {declared} frames can be decoded: "
                    + $"cut off or damaged ({complaint ?? "no frame in it"})");
            numbers = Choose(clip, sampling, info);
            received = Run(new DecodingPass(clip.Path, info, numbers, seeks: false), handle, cancellation, out complaint);
            if (received < numbers.Length)
                throw new VideoException(clip.Path, $"frame {numbers[received]} of {info.FrameCount} cannot be decoded: {complaint ?? "the stream ends before it"}");
        }
        return new TakenFrames(numbers, info.FramesPerSecond);
    }

    /// <summary>The version that ffmpeg or ffprobe says it has.</summary>
    /// <exception cref="MvAdapterException">The program cannot be started.</exception>
    public static string ProgramVersion(string program, CancellationToken cancellation = default) => MediaProcess.Version(program, cancellation);

    /// <summary>The arguments with which ffmpeg writes a clip's frames to what the last of them names.</summary>
    /// <exception cref="VideoException">The video cannot be read, or the clip has no frame.</exception>
    public IReadOnlyList<string> Command(VideoClip clip, FrameSampling sampling, CancellationToken cancellation = default) =>
        [.. Arguments([Pass(clip, sampling, cancellation)], [StandardOutput])];

    /// <summary>The way through a clip's video by which its frames are taken.</summary>
    /// <exception cref="VideoException">It cannot be read, or the clip has no frame.</exception>
    internal DecodingPass Pass(VideoClip clip, FrameSampling sampling, CancellationToken cancellation)
    {
        RefuseImpossibleTimes(clip);
        var info = probe.Read(clip.Path, cancellation);
        return new DecodingPass(clip.Path, info, Choose(clip, sampling, info));
    }

    /// <summary>The way to a picture of a sequence.</summary>
    /// <exception cref="VideoException">It cannot be read.</exception>
    internal DecodingPass PicturePass(string path, CancellationToken cancellation) => new(path, probe.Read(path, cancellation), [0]);

    /// <summary>One picture of a sequence by a program of its own, which says what is wrong with it.</summary>
    /// <exception cref="VideoException">It cannot be decoded.</exception>
    internal Picture DecodePicture(DecodingPass pass, CancellationToken cancellation)
    {
        string? complaint = null;
        return Picture.Take(handler => Run(pass, handler, cancellation, out complaint)) ?? throw new VideoException(pass.Path, $"cannot be decoded: {complaint ?? "no picture in it"}");
    }

    /// <summary>Lets one ffmpeg go several ways side by side, and takes the frames of each from a pipe of its own.</summary>
    /// <param name="passes">The ways.</param>
    /// <param name="take">Takes what comes of a pass, by its place; called on several threads at once.</param>
    /// <param name="cancellation">Ends the program.</param>
    /// <returns>What was taken of each; null where it was refused as no frames.</returns>
    internal T?[] TakeTogether<T>(IReadOnlyList<DecodingPass> passes, Func<int, MediaOutput, T?> take, CancellationToken cancellation)
        where T : class
    {
        var taken = new T?[passes.Count];
        if (!OperatingSystem.IsLinux()) return taken;   // pipes are handed on by their paths in /proc; elsewhere each is read by itself
        using var process = new MediaProcess(options.Ffmpeg, passes.Count, pipes => Arguments(passes, pipes),
            passes.Aggregate(options.Patience, static (sum, pass) => sum + pass.Silence), cancellation);
        // Threads of their own: they block on pipes, and the pool's few are for work.
        var readers = passes.Select((_, i) => Task.Factory.StartNew(() => Take(i), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        process.WaitForPipes();
        Task.WhenAll(readers).GetAwaiter().GetResult();
        cancellation.ThrowIfCancellationRequested();
        return taken;

        void Take(int i)
        {
            try
            {
                taken[i] = take(i, process.Pipes[i]);
            }
            catch (VideoException)
            {
                // Read by itself, it says what is wrong.
            }
            finally
            {
                process.Pipes[i].Dispose();   // the others' frames wait for no reader of this one's
            }
        }
    }

    /// <summary>Hands over the frames of these numbers, ascending, in one pass; fewer where the video ends before.</summary>
    internal void Decode(string path, VideoInfo info, int[] numbers, FrameHandler handle, CancellationToken cancellation) =>
        Run(new DecodingPass(path, info, numbers), handle, cancellation, out _);

    /// <summary>The time that a number of frames takes to play; decoding is expected to be no slower.</summary>
    internal static TimeSpan PlayingTime(VideoInfo info, int frames) =>
        TimeSpan.FromSeconds(Math.Min(frames / info.FramesPerSecond, TimeSpan.FromDays(1).TotalSeconds));

    /// <summary>A time as ffmpeg and a reader take it.</summary>
    internal static string Seconds(double value) => value.ToString("0.######", CultureInfo.InvariantCulture);

    private static void RefuseImpossibleTimes(VideoClip clip)
    {
        if (clip.Start is { } start && !(start >= 0 && double.IsFinite(start)))
            throw new VideoException(clip.Path, $"the clip's start must be 0 seconds or later, not {Seconds(start)}");
        if (clip.End is { } end && !(end > (clip.Start ?? 0)))
            throw new VideoException(clip.Path, $"the clip's end ({Seconds(end)} s) is not after its start ({Seconds(clip.Start ?? 0)} s)");
    }

    private static int[] Choose(VideoClip clip, FrameSampling sampling, VideoInfo info)
    {
        var numbers = FrameSampler.FrameNumbers(sampling, info, clip);
        return numbers.Length > 0 ? numbers : throw new VideoException(clip.Path,
            $"the clip from {Seconds(clip.Start ?? 0)} s on holds no frame: the video lasts {Seconds(info.Duration)} s");
    }

    private int Run(DecodingPass pass, FrameHandler handle, CancellationToken cancellation, out string? complaint)
    {
        using var process = new MediaProcess(options.Ffmpeg, Arguments([pass], [StandardOutput]), options.Patience + pass.Silence, cancellation);
        var received = pass.Take(process.Output, handle);
        complaint = null;
        if (received < pass.Taken.Numbers.Count)
        {
            var exitCode = process.WaitForExit(pass.Path);
            complaint = process.Complaint ?? (exitCode == 0 ? null : $"ffmpeg ended with code {exitCode}");
        }
        return received;
    }

    private IEnumerable<string> Arguments(IReadOnlyList<DecodingPass> passes, IReadOnlyList<string> targets) =>
    [
        "-v", "error", "-nostdin", "-y", .. passes.SelectMany(pass => pass.Input(options)), "-filter_threads", "1",
        .. passes.SelectMany((pass, i) => pass.Output(i, targets[i])),
    ];
}
