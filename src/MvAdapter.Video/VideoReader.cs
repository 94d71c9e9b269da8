namespace MvAdapter.Video;

/// <summary>The sampled frames of one clip as the model takes them, or why there are none.</summary>
public sealed class VideoFrames
{
    /// <summary>Frames that were read.</summary>
    /// <param name="clip">The clip.</param>
    /// <param name="pixels">The frames, [frames, size, size, 3].</param>
    /// <param name="taken">Which they are.</param>
    public VideoFrames(VideoClip clip, byte[] pixels, TakenFrames taken) => (Clip, Pixels, Taken) = (clip, pixels, taken);

    internal VideoFrames(VideoClip clip, IReadOnlyList<byte[]> pictures, TakenFrames taken) : this(clip, Joined(pictures), taken) { }

    /// <summary>A clip that cannot be read.</summary>
    public VideoFrames(VideoClip clip, VideoException error) : this(clip, Array.Empty<byte>(), new TakenFrames([], 1)) => Error = error;

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

    private static byte[] Joined(IReadOnlyList<byte[]> pictures)
    {
        var joined = new byte[pictures.Sum(picture => picture.Length)];
        for (var i = 0; i < pictures.Count; i++) pictures[i].CopyTo(joined, i * pictures[0].Length);
        return joined;
    }
}

/// <summary>
/// The one way from video files to the model's input. Several programs decode at once, and no more than sixteen clips for each of them
/// wait decoded, so that memory stays bounded however long the list. Short videos are decoded by one program together.
/// </summary>
public sealed class VideoReader
{
    private const int ClipsAhead = 8;
    private const int FramesTogether = 128;
    private readonly VideoDecoder decoder;
    private readonly int parallelism;

    /// <summary>Makes a reader; <paramref name="parallelism"/> programs decode at once, by default <see cref="DefaultParallelism"/>.</summary>
    public VideoReader(ImageProcessor processor, FrameSampling sampling, VideoDecoder? decoder = null, int? parallelism = null)
    {
        ArgumentNullException.ThrowIfNull(processor);
        ArgumentNullException.ThrowIfNull(sampling);
        Processor = processor;
        Sampling = sampling;
        this.decoder = decoder ?? new VideoDecoder();
        this.parallelism = parallelism ?? DefaultParallelism;
        if (this.parallelism < 1) throw new UsageException($"the number of decoders must be at least 1, not {this.parallelism}");
    }

    /// <summary>How many programs decode for a reader at once unless told otherwise: one a processor, or what a program was limited to.</summary>
    public static int DefaultParallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>Which frames are taken.</summary>
    public FrameSampling Sampling { get; }

    /// <summary>What pictures go through.</summary>
    public ImageProcessor Processor { get; }

    /// <summary>Width and height of the pictures.</summary>
    public int ImageSize => Processor.Size;

    /// <summary>
    /// Reads clips in their order. One that cannot be decoded comes with its <see cref="VideoFrames.Error"/>; the caller
    /// goes on and names it at the end. Leaving the enumeration, or cancelling, ends the decoders.
    /// </summary>
    public IEnumerable<VideoFrames> Read(IEnumerable<VideoClip> clips, CancellationToken cancellation = default) =>
        Read(clips, static _ => null, static frames => frames, cancellation);

    /// <summary>
    /// Reads the clips of several videos in their order, those of a video (in the order of time) in as few passes over it
    /// as can be. Several videos are decoded at once, each a few clips ahead.
    /// </summary>
    public IEnumerable<VideoFrames> ReadVideos(IEnumerable<IReadOnlyList<VideoClip>> videos, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(videos);
        return ReadAhead(videos, static _ => null, static frames => frames, cancellation);
    }

    /// <summary>Reads one clip on the calling thread.</summary>
    public VideoFrames Read(VideoClip clip, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clip);
        var pictures = new List<byte[]>();
        try
        {
            var taken = decoder.Decode(clip, Sampling, (index, rgb, width, height) =>
            {
                if (index == 0) pictures.Clear();
                pictures.Add(Processor.ResizeAndCrop(rgb, width, height));
            }, cancellation);
            return new VideoFrames(clip, pictures, taken);
        }
        catch (VideoException error)
        {
            return new VideoFrames(clip, error);
        }
    }

    /// <summary>Reads clips in their order, decoding those only that are not found.</summary>
    /// <param name="clips">The clips.</param>
    /// <param name="find">Gives a clip that need not be decoded, or null; called on several threads.</param>
    /// <param name="keep">Sees each clip that was decoded, and gives it on; called on several threads.</param>
    /// <param name="cancellation">Ends the decoders.</param>
    internal IEnumerable<VideoFrames> Read(
        IEnumerable<VideoClip> clips, Func<VideoClip, VideoFrames?> find, Func<VideoFrames, VideoFrames> keep, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(clips);
        return ReadAhead(clips.Select(static clip => (IReadOnlyList<VideoClip>)[clip]), find, keep, cancellation);
    }

    private IEnumerable<VideoFrames> ReadAhead(
        IEnumerable<IReadOnlyList<VideoClip>> videos, Func<VideoClip, VideoFrames?> find, Func<VideoFrames, VideoFrames> keep, CancellationToken cancellation)
    {
        var parts = new PartReader(decoder, Sampling, Processor.ResizeAndCrop, ReadOne);
        var groups = new GroupReader(decoder, Sampling, Processor.ResizeAndCrop);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var ahead = new Queue<Prefetch<VideoFrames>>();
        using var source = ShortVideos.Together(videos, parallelism, Math.Clamp(FramesTogether / Sampling.MaxFrames, 1, ShortVideos.Most)).GetEnumerator();
        try
        {
            while (true)
            {
                // Not one decoder for each that ends, but all of them together, and then none for a while: of a product's threads the one whose
                // core a decoder takes holds up the others, for as long whether there is one decoder or one a core.
                if (ahead.Count <= parallelism)
                {
                    while (ahead.Count < 2 * parallelism && ahead.Count(static reading => !reading.IsDone) < parallelism && source.MoveNext())
                    {
                        var group = source.Current;
                        ahead.Enqueue(new Prefetch<VideoFrames>((add, end) =>
                        {
                            if (group is [[var first, ..] pictures] && PictureSequence.Is(first)) foreach (var clip in pictures) add(ReadOne(clip, end));   // no pass goes over several
                            else if (group.Count == 1) parts.Read(group[0], add, end);
                            else ReadGroup([.. group.Select(static clips => clips[0])], add, end);
                        }, ClipsAhead, stop.Token));
                    }
                }
                if (!ahead.TryPeek(out var next)) yield break;
                foreach (var frames in next.Items) yield return frames;
                ahead.Dequeue().Dispose();
            }
        }
        finally
        {
            stop.Cancel();   // all of them, before the first is waited for
            foreach (var rest in ahead) rest.Dispose();
        }

        VideoFrames ReadOne(VideoClip clip, CancellationToken end) => find(clip) ?? keep(Read(clip, end));

        void ReadGroup(VideoClip[] clips, Action<VideoFrames> add, CancellationToken end)
        {
            var found = Array.ConvertAll(clips, clip => find(clip));
            var read = new Queue<VideoFrames?>(groups.Read([.. clips.Where((_, place) => found[place] is null)], end));
            for (var place = 0; place < clips.Length; place++)
                add(found[place] ?? (read.Dequeue() is { } frames ? keep(frames) : keep(Read(clips[place], end))));
        }
    }
}
