using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>What a block adapter may know of the batch besides the tokens.</summary>
/// <param name="Batch">Videos, or captions.</param>
/// <param name="Training">Whether dropout is on.</param>
public sealed record BlockContext(long Batch, bool Training)
{
    /// <summary>Places for frames F of each video; 1 in the text branch.</summary>
    public long Frames { get; init; } = 1;

    /// <summary>Rows of the patch grid; 0 in the text branch.</summary>
    public long GridHeight { get; init; }

    /// <summary>Columns of the patch grid; 0 in the text branch.</summary>
    public long GridWidth { get; init; }

    /// <summary>1 for a frame, 0 for padding: float32 [B, F]; null when no frame is padding.</summary>
    public Tensor? FrameMask { get; init; }

    /// <summary>Where each frame stands among the B F places: int64 [N]; null when there is a frame at each, and in the text branch.</summary>
    public Tensor? Places { get; init; }

    /// <summary>Whether a block keeps only its input and is computed again for its gradient (<see cref="GradientCheckpoint"/>).</summary>
    public bool Recompute { get; init; }

    /// <summary>The attention mask of the branch: causal [L, L] for text, null for video.</summary>
    public Tensor? AttentionMask { get; init; }

    /// <summary>From frames to their videos, zero where there is no frame: [N, ..] -> [B, F, ..].</summary>
    public Tensor ToVideos(Tensor frames)
    {
        ReadOnlySpan<long> rest = [.. frames.Shape.Skip(1)];
        var all = Places is null ? frames : Tensor.Zeros([Batch * Frames, .. rest], frames.DType, frames.Device).IndexCopy(0, Places, frames);
        return all.Reshape([Batch, Frames, .. rest]);
    }

    /// <summary>Back to the frames that there are: [B, F, ..] -> [N, ..].</summary>
    public Tensor ToFrames(Tensor videos)
    {
        var all = videos.Flatten(0, 1);
        return Places is null ? all : all.IndexSelect(0, Places);
    }
}
