using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter;

/// <summary>The pictures of several clips as the model's input.</summary>
/// <param name="Pixels">Normalised frames [B, F, 3, S, S]; zero where a clip has fewer frames.</param>
/// <param name="Mask">1 for a frame, 0 for padding: float32 [B, F]; null when no clip has fewer frames.</param>
public sealed record FrameBatch(Tensor Pixels, Tensor? Mask)
{
    /// <summary>
    /// Pads every clip to the model's number of frames: the adapter's positions depend on it, so it must not vary
    /// with the batch.
    /// </summary>
    /// <param name="videos">Clips without errors.</param>
    /// <param name="frames">Frames F of every clip.</param>
    /// <param name="size">Side S of the pictures.</param>
    /// <param name="device">Where the tensors go.</param>
    public static FrameBatch From(IReadOnlyList<VideoFrames> videos, int frames, int size, Device device)
    {
        var length = size * size * 3;
        var bytes = new byte[videos.Count * frames * length];
        for (var i = 0; i < videos.Count; i++) videos[i].Pixels.CopyTo(bytes, i * frames * length);
        Tensor? mask = null;
        if (videos.Any(video => video.FrameCount < frames))
        {
            var flags = new float[videos.Count * frames];
            for (var i = 0; i < videos.Count; i++) flags.AsSpan(i * frames, videos[i].FrameCount).Fill(1);
            mask = Tensor.From(flags, videos.Count, frames).Upload(device);
        }
        var pictures = Tensor.From(bytes, videos.Count, frames, size, size, 3).Upload(device).Permute(0, 1, 4, 2, 3);
        var pixels = Normalize(pictures, device);
        if (mask is not null) pixels = pixels * mask.View(videos.Count, frames, 1, 1, 1);
        return new FrameBatch(pixels, mask);
    }

    /// <summary>/255, minus CLIP's mean, over its standard deviation. uint8 [B, F, 3, S, S] -> float32.</summary>
    private static Tensor Normalize(Tensor pictures, Device device)
    {
        var mean = Tensor.From(ImageProcessor.ClipMean.ToArray(), 3, 1, 1).To(device);
        var deviation = Tensor.From(ImageProcessor.ClipStandardDeviation.ToArray(), 3, 1, 1).To(device);
        return (pictures.To(DType.Float32).Contiguous() / 255 - mean) / deviation;
    }
}
