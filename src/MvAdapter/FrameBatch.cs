using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter;

/// <summary>
/// The pictures of several videos as the model's input: the frames that there are, of one video after another. To the model each video has F
/// places, and a place without a frame is masked wherever places meet; so the tower need not see it, and a video of four seconds costs a
/// third of one of twelve.
/// </summary>
public sealed record FrameBatch
{
    private FrameBatch(Tensor pixels, long videos, long frames) => (Pixels, Videos, Frames) = (pixels, videos, frames);

    /// <summary>Normalised frames [N, 3, S, S]; N is B F when every place has one.</summary>
    public Tensor Pixels { get; }

    /// <summary>Videos B.</summary>
    public long Videos { get; }

    /// <summary>Places F of each video. The adapter's positions depend on it, so it does not vary with the batch.</summary>
    public long Frames { get; }

    /// <summary>1 where there is a frame, else 0: float32 [B, F]; null when every place has one.</summary>
    public Tensor? Mask { get; private init; }

    /// <summary>Where each frame stands among the B F places: int64 [N]; null when every place has one.</summary>
    public Tensor? Places { get; private init; }

    /// <summary>Pictures that were read, normalised.</summary>
    /// <param name="videos">Videos without errors, of at most <paramref name="frames"/> frames.</param>
    /// <param name="frames">Places F of every video.</param>
    /// <param name="clip">Side S of the pictures, and what they are normalised by.</param>
    /// <param name="device">Where the tensors go.</param>
    public static FrameBatch From(IReadOnlyList<VideoFrames> videos, int frames, ClipConfig clip, Device device)
    {
        ArgumentNullException.ThrowIfNull(clip);
        var size = clip.ImageSize;
        var bytes = new byte[videos.Sum(video => video.Pixels.Length)];
        var flags = new float[videos.Count * frames];
        var filled = 0;
        for (var i = 0; i < videos.Count; filled += videos[i++].Pixels.Length)
        {
            videos[i].Pixels.CopyTo(bytes, filled);
            flags.AsSpan(i * frames, videos[i].FrameCount).Fill(1);
        }
        var pictures = Tensor.From(bytes, videos.Sum(video => video.FrameCount), size, size, 3).Upload(device).Permute(0, 3, 1, 2);
        return Of(Normalize(pictures, clip.Preprocessing), flags, videos.Count, frames);
    }

    /// <summary>Frames with padding.</summary>
    /// <param name="pixels">Normalised frames [B, F, 3, S, S]; what they are where there is none does not matter.</param>
    /// <param name="mask">1 for a frame, 0 for padding: [B, F] of any type, read here; null when no frame is padding.</param>
    /// <exception cref="UsageException">A video has no frame.</exception>
    public static FrameBatch Padded(Tensor pixels, Tensor? mask)
    {
        var (videos, frames, all) = (pixels.Size(0), pixels.Size(1), pixels.Flatten(0, 1));
        if (mask is null) return new FrameBatch(all, videos, frames);
        var batch = Of(all, mask.To(DType.Float32).ToFloats(), videos, frames);
        return batch.Places is null ? batch : new FrameBatch(all.IndexSelect(0, batch.Places), videos, frames) { Mask = batch.Mask, Places = batch.Places };
    }

    private static FrameBatch Of(Tensor pixels, float[] flags, long videos, long frames)
    {
        long[] places = [.. flags.Index().Where(place => place.Item != 0).Select(place => (long)place.Index)];
        if (places.Length == flags.Length) return new FrameBatch(pixels, videos, frames);
        if (flags.Chunk((int)frames).Any(video => video.All(flag => flag == 0))) throw new UsageException("a video of the batch has no frame");
        return new FrameBatch(pixels, videos, frames)
        {
            Mask = Tensor.From(flags, videos, frames).Upload(pixels.Device),
            Places = Tensor.From(places, places.Length).Upload(pixels.Device),
        };
    }

    /// <summary>/255, minus the mean, over the standard deviation. uint8 [N, 3, S, S] -> float32.</summary>
    private static Tensor Normalize(Tensor pictures, Preprocessing by)
    {
        return (pictures.To(DType.Float32).Contiguous() / 255 - Channels(by.Mean)) / Channels(by.StandardDeviation);

        Tensor Channels((float Red, float Green, float Blue) values) =>
            Tensor.From([values.Red, values.Green, values.Blue], 3, 1, 1).Upload(pictures.Device);
    }
}
