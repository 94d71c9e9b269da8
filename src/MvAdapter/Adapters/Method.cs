using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// A way of adapting CLIP to video: what it adds to the blocks of both branches, and what it trains of CLIP.
/// It owns the parameters it adds, under the published names (<c>visual.transformer.resblocks.N...</c>,
/// <c>transformer.resblocks.N...</c>, and what the branches share at the root); <c>adapter</c> in such a name is what
/// gives the parameter the adapters' learning rate.
/// </summary>
public abstract class Method : IDisposable
{
    private readonly MethodDefinition definition;

    /// <summary>What every method has.</summary>
    /// <param name="definition">Its definition.</param>
    /// <param name="settings">Its hyper-parameters, of the type that the definition reads.</param>
    /// <param name="p">Where its parameters are made; the method owns them.</param>
    protected Method(MethodDefinition definition, object settings, ParameterBuilder p) =>
        (this.definition, Settings, Parameters) = (definition, SettingsJson.Write(settings), p.Parameters);

    /// <summary>The name it is chosen by.</summary>
    public string Name => definition.Name;

    /// <summary>The method's hyper-parameters as one JSON object, as checkpoints carry them.</summary>
    public string Settings { get; }

    /// <summary>The parameters that the method adds to CLIP.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Most frames of a video that the method has positions for; null when any number goes.</summary>
    public virtual int? MaxFrames => null;

    /// <summary>Most tokens of a caption that the method has positions for; null when CLIP's context alone limits them.</summary>
    public virtual int? MaxWords => null;

    /// <summary>One adapter a block of the vision transformer; empty when the method adds none there.</summary>
    public IReadOnlyList<BlockAdapter?> Vision { get; protected init; } = [];

    /// <summary>One adapter a block of the text transformer; empty when the method adds none there.</summary>
    public IReadOnlyList<BlockAdapter?> Text { get; protected init; } = [];

    /// <summary>Whether the method trains a parameter of CLIP, named as in the model; by default none.</summary>
    public virtual bool Trains(string clipParameter) => false;

    /// <summary>Takes first values from the CLIP that a fresh method is going to adapt, where it does not draw them all.</summary>
    public virtual void InitializeFrom(ClipModel backbone) { }

    /// <summary>Turns frame features into one vector a video; by default the masked mean of model.md section 8.</summary>
    /// <param name="frames">Frame features [B, F, E], not normalised.</param>
    /// <param name="mask">1 for a frame, 0 for padding: float32 [B, F]; null when no frame is padding.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>[B, E], normalised.</returns>
    public virtual Tensor PoolFrames(Tensor frames, Tensor? mask, bool training) => FramePooling.Mean(frames, mask);

    /// <summary>
    /// A plain CLIP that computes what this method computes over the given one, with which it shares the weights that stay;
    /// null, as by default, where CLIP has no place for what the method adds.
    /// </summary>
    public virtual ClipModel? Merge(ClipModel clip) => null;

    /// <summary>One adapter for each block of the vision transformer, given the block's builder and number.</summary>
    protected static IReadOnlyList<BlockAdapter> EachVisionBlock(ClipConfig clip, ParameterBuilder p, Func<ParameterBuilder, int, BlockAdapter> make) =>
        [.. Enumerable.Range(0, clip.VisionLayers).Select(layer => make(p["visual"]["transformer"]["resblocks"][layer], layer))];

    /// <summary>One adapter for each block of the text transformer, given the block's builder and number.</summary>
    protected static IReadOnlyList<BlockAdapter> EachTextBlock(ClipConfig clip, ParameterBuilder p, Func<ParameterBuilder, int, BlockAdapter> make) =>
        [.. Enumerable.Range(0, clip.TextLayers).Select(layer => make(p["transformer"]["resblocks"][layer], layer))];

    /// <summary>Frees the method's own parameters.</summary>
    public void Dispose()
    {
        Parameters.Dispose();
        GC.SuppressFinalize(this);
    }
}
