using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>Which clips a filter lets pass, a bit for each number of a clip.</summary>
/// <param name="Bits">The bits.</param>
/// <param name="Count">How many are set.</param>
internal sealed record PassingClips(ulong[] Bits, long Count)
{
    /// <summary>Whether a clip passes.</summary>
    public bool Has(long clip) => clip >> 6 < Bits.Length && (Bits[clip >> 6] >> (int)(clip & 63) & 1) != 0;
}

/// <summary>So many of the best clips that were seen. Not safe for several threads.</summary>
internal sealed class NearestClips(int most)
{
    private readonly int wanted = most;
    private readonly PriorityQueue<long, float> best = new(most + 1);   // the worst of them first
    private readonly float floor = float.NegativeInfinity;   // what others have found is better than that

    /// <summary>For a part of the work: what is no better than what was found before need not be kept.</summary>
    public NearestClips(NearestClips before) : this(before.wanted) => floor = before.Threshold;

    /// <summary>Whether there are as many as are wanted.</summary>
    public bool IsFull => best.Count == wanted;

    private float Worst => best.TryPeek(out _, out var score) ? score : float.NegativeInfinity;

    private float Threshold => IsFull ? Math.Max(floor, Worst) : floor;

    /// <summary>Takes those among some clips that are better than the worst so far.</summary>
    public void Add(ReadOnlySpan<long> clips, ReadOnlySpan<float> scores, PassingClips? passing)
    {
        // Most strips hold nothing that comes near, and one quick look tells.
        if (!(TensorPrimitives.Max(scores) > Threshold)) return;
        for (var i = 0; i < scores.Length; i++)
            if (scores[i] > Threshold && passing?.Has(clips[i]) != false) Add(clips[i], scores[i]);
    }

    /// <summary>Takes what a part has found.</summary>
    public void Add(NearestClips part)
    {
        foreach (var (clip, score) in part.best.UnorderedItems) Add(clip, score);
    }

    /// <summary>The best first.</summary>
    public IEnumerable<long> InOrder() => best.UnorderedItems.OrderByDescending(item => item.Priority).Select(item => item.Element);

    private void Add(long clip, float score)
    {
        if (!IsFull) best.Enqueue(clip, score);
        else best.EnqueueDequeue(clip, score);
    }
}
