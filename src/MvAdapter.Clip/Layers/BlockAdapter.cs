using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// What a method adds to one transformer block. A block has fixed places; a method overrides those it uses and
/// returns a delta of the shape of the tokens, or null for nothing. Adapters are passed to the forward pass and
/// never installed in the backbone, so one backbone serves many.
/// </summary>
public abstract class BlockAdapter
{
    /// <summary>Added to the block's input.</summary>
    /// <param name="x">Tokens [N, L, D] as they enter the block.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor? OnInput(Tensor x, BlockContext context) => null;

    /// <summary>Added to the queries, keys and values [N, L, 3D] before attention.</summary>
    /// <param name="normalized">ln_1 of the tokens.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor? OnProjections(Tensor normalized, BlockContext context) => null;

    /// <summary>Added beside attention.</summary>
    /// <param name="x">The residual stream before ln_1.</param>
    /// <param name="normalized">ln_1 of it.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor? BesideAttention(Tensor x, Tensor normalized, BlockContext context) => null;

    /// <summary>Added beside the MLP.</summary>
    /// <param name="x">The residual stream before ln_2.</param>
    /// <param name="normalized">ln_2 of it.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor? BesideMlp(Tensor x, Tensor normalized, BlockContext context) => null;

    /// <summary>Added to the MLP's output, computed from it.</summary>
    /// <param name="h">The MLP's output.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor? OnMlpOutput(Tensor h, BlockContext context) => null;

    /// <summary>
    /// The MLP's output with <see cref="OnMlpOutput"/> added. An adapter overrides it instead where the addition can be part of its last product.
    /// </summary>
    /// <param name="h">The MLP's output.</param>
    /// <param name="context">What else is known of the batch.</param>
    public virtual Tensor AfterMlp(Tensor h, BlockContext context) => OnMlpOutput(h, context) is { } delta ? h + delta : h;
}
