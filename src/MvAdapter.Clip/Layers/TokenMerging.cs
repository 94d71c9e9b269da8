using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>Which patches the tokens of each frame stand for, once some have been merged.</summary>
/// <param name="Sizes">How many tokens of the beginning each stands for: float32 [N, L]; the class token's is 1.</param>
/// <param name="Places">Among the L tokens, where each patch of the grid is: int64 [N, P].</param>
public sealed record TokenGroups(Tensor Sizes, Tensor Places)
{
    /// <summary>Lets them outlive a scope.</summary>
    internal void KeptBy(TensorScope scope) => (_, _) = (scope.Keep(Sizes), scope.Keep(Places));

    /// <summary>What the scores of attention get: the logarithm of each key's size, [N, 1, 1, L], so that a token counts as those it stands for.</summary>
    internal Tensor ScoreMask() => Sizes.Log().Unsqueeze(1).Unsqueeze(1);

    /// <summary>The sizes of the patches' tokens [N, L - 1, 1].</summary>
    public Tensor PatchSizes => Sizes.Narrow(1, 1, Sizes.Size(1) - 1).Unsqueeze(2);
}

/// <summary>
/// Token merging (ToMe, arXiv 2210.09461, section 3): between attention and MLP of each block of the vision tower, the R patch tokens of a frame
/// that are most like another become one with it. Every other patch seeks, among those between, the one whose keys are most alike; the R closest
/// pairs are merged into their mean, weighted by how many tokens each stands for. The class token stays as it is.
/// </summary>
internal static class TokenMerging
{
    /// <summary>The tokens after merging, and what they stand for.</summary>
    /// <param name="x">Tokens [N, L, D], the class token first.</param>
    /// <param name="keys">What tells how alike they are [N, L, d].</param>
    /// <param name="groups">What they stand for; null where each is itself.</param>
    /// <param name="count">R; where fewer pairs can be made, those.</param>
    public static (Tensor Tokens, TokenGroups? Groups) Merge(Tensor x, Tensor keys, TokenGroups? groups, int count)
    {
        var (n, length, patches) = (x.Size(0), x.Size(1), x.Size(1) - 1);
        var (seekers, found, merged) = ((patches + 1) / 2, patches / 2, Math.Min(count, patches / 2));
        if (merged <= 0) return (x, groups);
        using var scope = new TensorScope();
        Tensor target, sizes, weights;
        using (new NoGrad())
        {
            target = Targets(keys.Detach(), seekers, found, merged);
            var before = groups?.Sizes ?? Tensor.Ones([n, length], device: x.Device);
            sizes = Tensor.Zeros([n, length - merged], device: x.Device).ScatterAdd(1, target, before);
            weights = before / sizes.Gather(1, target);
        }
        var places = groups is null ? target.Narrow(1, 1, patches) : target.Gather(1, groups.Places);
        var after = new TokenGroups(sizes, places.Contiguous());
        after.KeptBy(scope);
        return (scope.Keep(Sum(x, target, weights, length - merged)), after);
    }

    /// <summary>Sums of weighted tokens: [N, L, D] -> [N, rows, D].</summary>
    /// <param name="x">Tokens.</param>
    /// <param name="target">The row that each token is added to: int64 [N, L].</param>
    /// <param name="weights">What it is multiplied by: float32 [N, L].</param>
    /// <param name="rows">Rows of the result.</param>
    public static Tensor Sum(Tensor x, Tensor target, Tensor weights, long rows)
    {
        if (x.Device.IsCpu && x.DType == DType.Float32) return Operator.Call("mvt::merge_rows", x, target, weights, rows);
        var index = target.Unsqueeze(2).Expand(x.Size(0), x.Size(1), x.Size(2));
        return Tensor.Zeros([x.Size(0), rows, x.Size(2)], DType.Float32, x.Device).ScatterAdd(1, index, x.To(DType.Float32) * weights.Unsqueeze(2)).To(x.DType);
    }

    /// <summary>Where each token goes [N, L]: the class token first, then the seekers that stay, then those that were sought.</summary>
    private static Tensor Targets(Tensor keys, long seekers, long found, long merged)
    {
        var (n, device) = (keys.Size(0), keys.Device);
        var alike = Functional.Normalize(keys.To(DType.Float32) + Tiny);
        var (first, second) = (Every(alike, 1, seekers), Every(alike, 2, found));
        var scores = first.MatMul(second.Transpose(1, 2));                                   // [N, seekers, found]
        var partner = scores.ArgMax(2);                                                      // [N, seekers]
        var best = scores.Gather(2, partner.Unsqueeze(2)).Squeeze(2);
        var rank = best.ArgSort(1, descending: true).ArgSort(1, descending: false);          // 0 for the closest pair
        var stay = rank.GreaterThan(merged - 0.5).To(DType.Float32);                         // 0 where it is merged
        double firstFound = 1 + seekers - merged;
        var ofSeekers = stay * (rank - (merged - 1.0)) + (1 - stay) * (partner + firstFound);
        var ofFound = (Tensor.Arange(found, device) + firstFound).Unsqueeze(0).Expand(n, found);
        // Seeker, sought, seeker, sought, as the patches stand.
        var pairs = Tensor.Stack([ofSeekers.Narrow(1, 0, found), ofFound], 2).Flatten(1, 2);
        var last = ofSeekers.Narrow(1, found, seekers - found);
        return Tensor.Concatenate([Tensor.Zeros([n, 1], device: device), pairs, last], 1).To(DType.Int64);

        Tensor Every(Tensor tokens, long from, long count) => tokens.IndexSelect(1, (Tensor.Arange(count, device) * 2 + from).To(DType.Int64));
    }

    private const double Tiny = 1e-12;   // a token of zeros alone has no direction
}
