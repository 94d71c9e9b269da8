using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// Chooses the clips whose captions teach most: spread over the library, each the farthest from all that are captioned or chosen
/// (farthest-point choice), without near duplicates, and of those first the ones that the model is least sure of.
/// </summary>
public static class TeachingChoice
{
    /// <summary>Clips that are looked at: enough to be spread over any library.</summary>
    public const int LookedAt = 2000;

    /// <summary>What is this like another clip shows the same.</summary>
    private const float Duplicate = 0.985f;

    private const float LogitScale = 100;

    /// <summary>Chooses among the clips of a collection.</summary>
    /// <param name="clips">The clips, or a sample of them.</param>
    /// <param name="known">Whether somebody has captioned the clip, or passed it over.</param>
    /// <param name="count">The most that are wanted.</param>
    /// <param name="texts">Vectors of captions and queries that are known, by which it is told how sure the model is; may be empty.</param>
    public static IReadOnlyList<SampledClip> Next(IReadOnlyList<SampledClip> clips, Func<SampledClip, bool> known, int count, IReadOnlyList<ReadOnlyMemory<float>> texts)
    {
        ArgumentNullException.ThrowIfNull(clips);
        ArgumentNullException.ThrowIfNull(texts);
        var free = new List<SampledClip>();
        var taught = new List<SampledClip>();
        foreach (var clip in clips) (known(clip) ? taught : free).Add(clip);
        if (free.Count == 0) return [];
        // How like the likest of those that are known or chosen each is.
        var nearest = new float[free.Count];
        Array.Fill(nearest, float.NegativeInfinity);
        Parallel.For(0, free.Count, i =>
        {
            foreach (var other in taught) nearest[i] = Math.Max(nearest[i], TensorPrimitives.Dot(free[i].Vector.Span, other.Vector.Span));
        });
        var chosen = new List<SampledClip>();
        var first = taught.Count == 0 ? Typical(free) : Farthest(nearest);
        for (var next = first; next >= 0 && chosen.Count < count; next = Farthest(nearest))
        {
            if (nearest[next] > Duplicate) break;   // all that is left has been seen
            chosen.Add(free[next]);
            for (var i = 0; i < free.Count; i++) nearest[i] = Math.Max(nearest[i], TensorPrimitives.Dot(free[i].Vector.Span, free[next].Vector.Span));
            nearest[next] = float.PositiveInfinity;
        }
        return texts.Count < 2 ? chosen : [.. chosen.OrderByDescending(clip => Entropy(clip, texts))];
    }

    // The clip most like all others: what there is most of is the best to begin with.
    private static int Typical(List<SampledClip> clips)
    {
        var mean = new float[clips[0].Vector.Length];
        foreach (var clip in clips) TensorPrimitives.Add(mean, clip.Vector.Span, mean);
        return Enumerable.Range(0, clips.Count).MaxBy(i => TensorPrimitives.Dot(mean, clips[i].Vector.Span));
    }

    private static int Farthest(float[] nearest)
    {
        var best = TensorPrimitives.IndexOfMin(nearest);
        return float.IsPositiveInfinity(nearest[best]) ? -1 : best;
    }

    private static float Entropy(SampledClip clip, IReadOnlyList<ReadOnlyMemory<float>> texts)
    {
        var scores = texts.Select(text => LogitScale * TensorPrimitives.Dot(text.Span, clip.Vector.Span)).ToArray();
        TensorPrimitives.SoftMax(scores, scores);
        return -scores.Where(p => p > 0).Sum(p => p * MathF.Log(p));
    }
}
