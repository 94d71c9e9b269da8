using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>From frame vectors to one video vector (model.md section 8; CLIP4Clip's mean pooling, arXiv 2104.08860).</summary>
public static class FramePooling
{
    /// <summary>Normalise each frame, average over the frames that are there, normalise again. [B, F, E] -> [B, E].</summary>
    public static Tensor Mean(Tensor frames, Tensor? mask)
    {
        if (mask is null) return Functional.Normalize(Functional.Normalize(frames).Mean([1]));
        var weights = mask.Unsqueeze(-1);                                                    // [B, F, 1]
        frames = Functional.Normalize(frames + (1 - weights));                               // an empty place may hold zeros, which have no direction
        return Functional.Normalize((frames * weights).Sum([1]) / weights.Sum([1]).ClampMin(1));
    }
}
