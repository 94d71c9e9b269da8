namespace MvAdapter.Video;

/// <summary>
/// Reads several short videos by one ffmpeg, whose start takes longer than many a short video. The frames are those that
/// reading each by itself would take; where they do not all come, it is read by itself, which says why.
/// </summary>
/// <param name="decoder">Decodes.</param>
/// <param name="sampling">Which frames are taken.</param>
/// <param name="picture">Makes the model's picture of a decoded frame; called on several threads.</param>
internal sealed class GroupReader(VideoDecoder decoder, FrameSampling sampling, PictureMaker picture)
{
    // Every decoder of a program holds some twenty frames: a few hundred megabytes with this many pixels in one frame of each.
    private const long PixelsTogether = 1 << 22;

    /// <summary>The clips' pictures, or why there are none; null for what is to be read by itself.</summary>
    public VideoFrames?[] Read(IReadOnlyList<VideoClip> clips, CancellationToken cancellation)
    {
        var read = new VideoFrames?[clips.Count];
        if (clips.Count < 2) return read;
        var passes = new List<(int Place, DecodingPass Pass)>();
        var pixels = 0L;
        for (var place = 0; place < clips.Count; place++)
        {
            try
            {
                var pass = decoder.Pass(clips[place], sampling, cancellation);
                if (pixels + pass.Pixels > PixelsTogether) continue;
                pixels += pass.Pixels;
                passes.Add((place, pass));
            }
            catch (VideoException error)
            {
                read[place] = new VideoFrames(clips[place], error);
            }
        }
        if (passes.Count < 2) return read;
        var taken = decoder.TakeTogether([.. passes.Select(item => item.Pass)], (i, output) => Take(clips[passes[i].Place], passes[i].Pass, output), cancellation);
        for (var i = 0; i < passes.Count; i++) read[passes[i].Place] = taken[i];
        return read;
    }

    private VideoFrames? Take(VideoClip clip, DecodingPass pass, MediaOutput output)
    {
        var pictures = new List<byte[]>();
        var taken = pass.Take(output, (_, rgb, width, height) => pictures.Add(picture(rgb, width, height)));
        return taken == pass.Taken.Numbers.Count ? new VideoFrames(clip, pictures, pass.Taken) : null;
    }
}
