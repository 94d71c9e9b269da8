using MvAdapter.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// A way of adapting CLIP to video: what it adds to the blocks of both branches, and what it trains of CLIP.
/// It owns the parameters it adds, under the published names (<c>visual.transformer.resblocks.N...</c>,
/// <c>transformer.resblocks.N...</c>, and what the branches share at the root).
/// </summary>
public abstract class Method : IDisposable
{
    /// <summary>The name it is chosen by.</summary>
    public abstract string Name { get; }

    /// <summary>The method's hyper-parameters as one JSON object, as checkpoints carry them.</summary>
    public abstract string Settings { get; }

    /// <summary>The parameters that the method adds to CLIP.</summary>
    public ParameterSet Parameters { get; } = new();

    /// <summary>One adapter a block of the vision transformer; empty when the method adds none there.</summary>
    public IReadOnlyList<BlockAdapter?> Vision { get; protected init; } = [];

    /// <summary>One adapter a block of the text transformer; empty when the method adds none there.</summary>
    public IReadOnlyList<BlockAdapter?> Text { get; protected init; } = [];

    /// <summary>Whether the method trains a parameter of CLIP, named as in the model.</summary>
    public abstract bool Trains(string clipParameter);

    /// <summary>Turns frame features into one vector a video; by default the masked mean of spec section 8.</summary>
    /// <param name="frames">Frame features [B, F, E], not normalised.</param>
    /// <param name="mask">1 for a frame, 0 for padding: float32 [B, F]; null when no frame is padding.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>[B, E], normalised.</returns>
    public virtual Tensor PoolFrames(Tensor frames, Tensor? mask, bool training) => FramePooling.Mean(frames, mask);

    /// <summary>Frees the method's own parameters.</summary>
    public void Dispose()
    {
        Parameters.Dispose();
        GC.SuppressFinalize(this);
    }
}
