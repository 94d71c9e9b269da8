using MvAdapter.Clip;

namespace MvAdapter.Video;

/// <summary>The sampled frames of one clip as the model takes them, or why there are none.</summary>
public sealed class VideoFrames
{
    internal VideoFrames(VideoClip clip, byte[] pixels, TakenFrames taken) => (Clip, Pixels, Taken) = (clip, pixels, taken);

    internal VideoFrames(VideoClip clip, VideoException error) : this(clip, [], new TakenFrames([], 1)) => Error = error;

    /// <summary>The clip asked for.</summary>
    public VideoClip Clip { get; }

    /// <summary>Why the clip was skipped; null when it was read.</summary>
    public VideoException? Error { get; }

    /// <summary>The frames, [frames, size, size, 3], resized and cropped but not yet normalised; empty after an error.</summary>
    public byte[] Pixels { get; }

    /// <summary>Which frames they are.</summary>
    public TakenFrames Taken { get; }

    /// <summary>Number of frames: at most the sampling's.</summary>
    public int FrameCount => Taken.Numbers.Count;
}

/// <summary>
/// The one way from video files to the model's input. Several clips are decoded at once, and no more than that many
/// wait decoded, so that memory stays bounded however long the list.
/// </summary>
public sealed class VideoReader
{
    private readonly VideoDecoder decoder;
    private readonly ImageProcessor processor;
    private readonly int parallelism;

    /// <summary>Makes a reader; <paramref name="parallelism"/> clips are decoded at once, by default <see cref="DefaultParallelism"/>.</summary>
    public VideoReader(ImageProcessor processor, FrameSampling sampling, VideoDecoder? decoder = null, int? parallelism = null)
    {
        ArgumentNullException.ThrowIfNull(processor);
        ArgumentNullException.ThrowIfNull(sampling);
        this.processor = processor;
        Sampling = sampling;
        this.decoder = decoder ?? new VideoDecoder();
        this.parallelism = parallelism ?? DefaultParallelism;
        if (this.parallelism < 1) throw new UsageException($"the number of videos decoded at once must be at least 1, not {this.parallelism}");
    }

    /// <summary>How many clips a reader decodes at once unless told otherwise: one a processor, or what a program was limited to.</summary>
    public static int DefaultParallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>Which frames are taken.</summary>
    public FrameSampling Sampling { get; }

    /// <summary>Width and height of the pictures.</summary>
    public int ImageSize => processor.Size;

    /// <summary>
    /// Reads clips in their order. One that cannot be decoded comes with its <see cref="VideoFrames.Error"/>; the caller
    /// goes on and names it at the end. Leaving the enumeration, or cancelling, ends the decoders.
    /// </summary>
    public IEnumerable<VideoFrames> Read(IEnumerable<VideoClip> clips, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clips);
        return ReadAhead(clips, Read, cancellation);
    }

    /// <summary>
    /// Reads the clips of several videos in their order, those of a video (in the order of time) in as few passes over it
    /// as can be. Several videos are decoded at once, each a few clips ahead.
    /// </summary>
    public IEnumerable<VideoFrames> ReadVideos(IEnumerable<IReadOnlyList<VideoClip>> videos, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(videos);
        return ReadVideosAhead(videos, cancellation);
    }

    /// <summary>Reads one clip on the calling thread.</summary>
    public VideoFrames Read(VideoClip clip, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        var length = processor.PictureLength;
        var pictures = new List<byte[]>();
        try
        {
            var taken = decoder.Decode(clip, Sampling, (index, rgb, width, height) =>
            {
                if (index == 0) pictures.Clear();
                pictures.Add(processor.ResizeAndCrop(rgb, width, height));
            }, cancellation);
            var pixels = new byte[pictures.Count * length];
            for (var i = 0; i < pictures.Count; i++) pictures[i].CopyTo(pixels, i * length);
            return new VideoFrames(clip, pixels, taken);
        }
        catch (VideoException error)
        {
            return new VideoFrames(clip, error);
        }
    }

    /// <summary>Reads clips in their order by <paramref name="read"/>, several at once.</summary>
    internal IEnumerable<VideoFrames> ReadAhead(
        IEnumerable<VideoClip> clips, Func<VideoClip, CancellationToken, VideoFrames> read, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var ahead = new Queue<Task<VideoFrames>>();
        try
        {
            foreach (var clip in clips)
            {
                if (ahead.Count == parallelism) yield return ahead.Dequeue().GetAwaiter().GetResult();
                ahead.Enqueue(Start(() => read(clip, stop.Token)));
            }
            while (ahead.TryDequeue(out var next)) yield return next.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
            // Cancelled reads end in an exception each; what matters here is that their decoders are gone.
            Task.WhenAll(ahead).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default)
                .GetAwaiter().GetResult();
        }
    }

    private IEnumerable<VideoFrames> ReadVideosAhead(IEnumerable<IReadOnlyList<VideoClip>> videos, CancellationToken cancellation)
    {
        const int clipsAhead = 8;
        var parts = new PartReader(decoder, Sampling, processor.ResizeAndCrop, Read);
        var ahead = new Queue<Prefetch<VideoFrames>>();
        using var source = videos.GetEnumerator();
        try
        {
            while (true)
            {
                while (ahead.Count < parallelism && source.MoveNext())
                {
                    var clips = source.Current;
                    ahead.Enqueue(new Prefetch<VideoFrames>((add, stop) => parts.Read(clips, add, stop), clipsAhead, cancellation));
                }
                if (!ahead.TryPeek(out var next)) yield break;
                foreach (var frames in next.Items) yield return frames;
                ahead.Dequeue().Dispose();
            }
        }
        finally
        {
            foreach (var rest in ahead) rest.Dispose();
        }
    }

    // A thread of its own: it blocks on ffmpeg's pipe, and the pool's few threads are for work.
    private static Task<VideoFrames> Start(Func<VideoFrames> read) =>
        Task.Factory.StartNew(read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
