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

    /// <summary>Patch tokens of each frame that a block of the vision tower merges with others (<see cref="TokenMerging"/>); 0 for none.</summary>
    public int MergeTokens { get; init; }

    /// <summary>What the tokens stand for where some were merged; null where each is itself.</summary>
    public TokenGroups? Groups { get; init; }

    /// <summary>The patches of the whole grid, each as the token that stands for it: [N, L, m] -> [N, P, m].</summary>
    public Tensor ToGrid(Tensor tokens)
    {
        var (n, length) = (tokens.Size(0), tokens.Size(1));
        if (Groups is null) return tokens.Narrow(1, 1, length - 1);
        var firsts = Tensor.From([.. Enumerable.Range(0, (int)n).Select(frame => frame * length)], n, 1).Upload(tokens.Device);
        var rows = Groups.Places + firsts;
        return tokens.Flatten(0, 1).IndexSelect(0, rows.Flatten()).View(n, Groups.Places.Size(1), tokens.Size(2));
    }

    /// <summary>Back to the patches' tokens, each the mean of the patches that it stands for: [N, P, m] -> [N, L - 1, m].</summary>
    public Tensor FromGrid(Tensor patches)
    {
        if (Groups is null) return patches;
        var weights = 1 / Groups.Sizes.Gather(1, Groups.Places);
        return TokenMerging.Sum(patches, (Groups.Places - 1).To(DType.Int64), weights, Groups.Sizes.Size(1) - 1);
    }

    /// <summary>The mean of a frame's patches: [N, L - 1, m], without the class token -> [N, m].</summary>
    public Tensor MeanPatch(Tensor patches) =>
        Groups is null ? patches.Mean([1]) : (patches * (Groups.PatchSizes / (double)Groups.Places.Size(1)).To(patches.DType)).Sum([1]);

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
