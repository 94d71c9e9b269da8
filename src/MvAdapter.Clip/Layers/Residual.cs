using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// The residual stream between blocks. What a block adds last stays beside it: the next layer normalisation adds it in the pass over memory
/// that it makes anyway, and after the last block only the tokens that are pooled are added at all.
/// </summary>
/// <param name="Stream">Tokens [N, L, D].</param>
/// <param name="Pending">What is still to be added to them; null for nothing.</param>
/// <param name="Groups">What the tokens stand for where some were merged; null where each is itself.</param>
public readonly record struct Residual(Tensor Stream, Tensor? Pending = null, TokenGroups? Groups = null)
{
    /// <summary>The tokens.</summary>
    public Tensor Sum() => Pending is null ? Stream : Stream + Pending;

    /// <summary>Those tokens alone that a choice takes.</summary>
    public Tensor Sum(Func<Tensor, Tensor> choose)
    {
        ArgumentNullException.ThrowIfNull(choose);
        return new Residual(choose(Stream), Pending is null ? null : choose(Pending)).Sum();
    }

    /// <summary>Frees both.</summary>
    internal void Free()
    {
        Stream.Dispose();
        Pending?.Dispose();
    }
}
