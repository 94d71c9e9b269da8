namespace MvAdapter.Video;

/// <summary>
/// Pictures that stand for a video: those of a folder, or a list of them. Only those that a sampling takes are decoded, several by one ffmpeg.
/// </summary>
internal sealed class PictureSequence
{
    // As many as gain by going together, and no more pixels than a few hundred megabytes in ffmpeg.
    private const int Together = 8;
    private const long PixelsTogether = 1 << 24;
    private const int DamagedAtMost = 10;   // one of so many

    private readonly string path;
    private readonly IReadOnlyList<string> files;

    private PictureSequence(string path, IReadOnlyList<string> files) => (this.path, this.files) = (path, files);

    /// <summary>The pictures that a clip is made of; null where it is a file.</summary>
    /// <exception cref="VideoException">The folder holds no picture, or cannot be read.</exception>
    public static PictureSequence? Of(VideoClip clip) => Is(clip) ? new PictureSequence(clip.Path, clip.Pictures is { Count: > 0 } list ? list : In(clip.Path)) : null;

    /// <summary>Whether a clip is made of pictures.</summary>
    public static bool Is(VideoClip clip) => clip.Pictures is { Count: > 0 } || Directory.Exists(clip.Path);

    /// <summary>The sequence as a video of a steady rate.</summary>
    public VideoInfo Info(double rate) => new()
    {
        // Of the pictures; each may have its own.
        Width = 1, Height = 1, FramesPerSecond = rate, AverageFramesPerSecond = rate, FrameCount = files.Count,
    };

    /// <summary>Hands over the pictures of these numbers, in order; returns those that could be read.</summary>
    /// <param name="numbers">Which.</param>
    /// <param name="decoder">Decodes.</param>
    /// <param name="handle">Takes them.</param>
    /// <param name="warn">Told, in a line each, of damaged ones that are passed over.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="VideoException">A tenth of them or more cannot be read.</exception>
    public IReadOnlyList<int> Decode(int[] numbers, VideoDecoder decoder, FrameHandler handle, Action<string>? warn, CancellationToken cancellation)
    {
        List<int> read = [];
        List<VideoException> faults = [];
        for (var first = 0; first < numbers.Length;)
        {
            var (passes, pixels) = (new List<(int Number, DecodingPass? Pass, VideoException? Fault)>(), 0L);
            for (; first < numbers.Length && passes.Count < Together && pixels < PixelsTogether; first++)
            {
                try
                {
                    var pass = decoder.PicturePass(files[numbers[first]], cancellation);
                    pixels += pass.Pixels;
                    passes.Add((numbers[first], pass, null));
                }
                catch (VideoException fault)
                {
                    passes.Add((numbers[first], null, fault));
                }
            }
            DecodingPass[] readable = [.. passes.Select(item => item.Pass).OfType<DecodingPass>()];
            var pictures = readable.Length < 2 ? new Picture?[readable.Length]
                : decoder.TakeTogether(readable, (i, output) => Picture.Take(handler => readable[i].Take(output, handler)), cancellation);
            var next = 0;
            foreach (var (number, pass, fault) in passes)
            {
                try
                {
                    if (fault is not null) throw fault;
                    var picture = pictures[next++] ?? decoder.DecodePicture(pass!, cancellation);
                    handle(read.Count, picture.Rgb, picture.Width, picture.Height);
                    read.Add(number);
                }
                catch (VideoException e)
                {
                    faults.Add(e);
                }
            }
            if (faults.Count * DamagedAtMost >= numbers.Length)
                throw new VideoException(path, $"{faults.Count} of {Math.Min(first, numbers.Length)} pictures cannot be read; the first: {faults[0].Message}");
        }
        foreach (var fault in faults) warn?.Invoke($"passed over: {fault.Message}");
        return read;
    }

    private static IReadOnlyList<string> In(string folder)
    {
        try
        {
            return Pictures.In(folder) is { Count: > 0 } files ? files
                : throw new VideoException(folder, "is a folder without JPEG or PNG pictures; name a video, or a folder of pictures");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VideoException(folder, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }
}

/// <summary>One decoded picture, [height, width, 3].</summary>
internal sealed record Picture(byte[] Rgb, int Width, int Height)
{
    /// <summary>The picture that comes of decoding one; null where none does.</summary>
    public static Picture? Take(Action<FrameHandler> decode)
    {
        Picture? picture = null;
        decode((_, rgb, width, height) => picture = new Picture(rgb.ToArray(), width, height));
        return picture;
    }
}
