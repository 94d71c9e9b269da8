using MvAdapter.Datasets;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>
/// The batches of an epoch, drawn from (seed, epoch) alone: a resumed run computes them anew and goes on in the middle.
/// Pairs that do not fill a batch are left out, as the contrastive loss wants batches of one size.
/// </summary>
public sealed class BatchSampler
{
    private const int UsualBatchSize = 16;
    private const ulong Stream = 0x4F52444552; // "ORDER"
    private readonly IReadOnlyList<TrainingPair> pairs;
    private readonly ILookup<string, VideoClip> wrongAnswers;
    private readonly int batchSize;
    private readonly bool distinct;
    private readonly ulong seed;

    /// <summary>A sampler over all pairs.</summary>
    /// <param name="pairs">Every video with each of its captions.</param>
    /// <param name="batchSize">Pairs in a batch; 0 for 16, or for all that a small dataset has.</param>
    /// <param name="distinct">Whether a caption, a clip, or clips of one video that overlap, may stand in a batch but once.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="wrongAnswers">Clips that are wrong answers to captions: each pair of such a caption brings one, another in each epoch.</param>
    /// <exception cref="UsageException">The batch cannot be filled.</exception>
    public BatchSampler(IReadOnlyList<TrainingPair> pairs, int batchSize, bool distinct, long seed, IReadOnlyList<WrongAnswer>? wrongAnswers = null)
    {
        (this.pairs, this.distinct, this.seed) = (pairs, distinct, (ulong)seed);
        this.wrongAnswers = ByQuery(wrongAnswers ?? []);
        var available = distinct
            ? Math.Min(pairs.Select(pair => pair.Sample.Id).Distinct().Count(), pairs.Select(pair => pair.Caption).Distinct().Count())
            : pairs.Count;
        var what = distinct ? "different videos (or captions)" : "pairs";
        if (available < 2) throw new UsageException($"the training set has {available} {what}; a pair is compared with others, so there must be at least 2");
        if (batchSize > available) throw new UsageException($"batch_size {batchSize} exceeds the {available} {what} of the training set; choose a smaller batch");
        this.batchSize = batchSize > 0 ? batchSize : Math.Min(UsualBatchSize, available);
        BatchesPerEpoch = Epoch(0).Count;
        // Where many videos share many captions, the distinct ones of both need not make as many pairs.
        if (BatchesPerEpoch == 0)
            throw new UsageException($"batch_size {this.batchSize}: the training set has no {this.batchSize} pairs that differ in both video and caption; choose a smaller batch, or distinct_batches false");
    }

    /// <summary>Pairs in a batch.</summary>
    public int BatchSize => batchSize;

    /// <summary>Batches of the first epoch. With distinct batches, later epochs may have one or two more or fewer.</summary>
    public int BatchesPerEpoch { get; }

    /// <summary>The batches of one epoch.</summary>
    public IReadOnlyList<IReadOnlyList<TrainingPair>> Epoch(int epoch)
    {
        var order = Enumerable.Range(0, pairs.Count).ToArray();
        SeededRandom.For(seed, Stream, epoch).Shuffle<int>(order);
        var batches = distinct ? Distinct(order) : [.. order.Select(i => pairs[i]).Chunk(batchSize).Where(batch => batch.Length == batchSize)];
        return wrongAnswers.Count == 0 ? batches : [.. batches.Select(batch => batch.Select(pair => pair with { WrongAnswer = InTurn([.. wrongAnswers[pair.Caption]], epoch) }).ToList())];
    }

    // Somebody may have called right what another has called wrong.
    private ILookup<string, VideoClip> ByQuery(IReadOnlyList<WrongAnswer> wrongAnswers)
    {
        var right = (wrongAnswers.Count > 0 ? pairs : []).ToLookup(pair => pair.Caption, pair => pair.Sample.Clip, StringComparer.OrdinalIgnoreCase);
        return wrongAnswers.Where(wrong => !right[wrong.Query].Any(clip => Overlap(clip, wrong.Clip))).ToLookup(wrong => wrong.Query, wrong => wrong.Clip, StringComparer.OrdinalIgnoreCase);
    }

    private static VideoClip? InTurn(VideoClip[] clips, int epoch) => clips.Length == 0 ? null : clips[epoch % clips.Length];

    /// <summary>Fills batches in order; a pair that would meet its like waits for a later batch.</summary>
    private List<IReadOnlyList<TrainingPair>> Distinct(int[] order)
    {
        var batches = new List<IReadOnlyList<TrainingPair>>();
        var waiting = new Queue<TrainingPair>();
        var next = 0;
        while (true)
        {
            var batch = new List<TrainingPair>(batchSize);
            HashSet<string> videos = new(StringComparer.Ordinal), captions = new(StringComparer.Ordinal);
            for (var tries = waiting.Count; tries > 0 && batch.Count < batchSize; tries--) Place(waiting.Dequeue());
            while (batch.Count < batchSize && next < order.Length) Place(pairs[order[next++]]);
            if (batch.Count < batchSize) return batches;
            batches.Add(batch);

            void Place(TrainingPair pair)
            {
                if (videos.Contains(pair.Sample.Id) || captions.Contains(pair.Caption) || batch.Any(other => Overlap(other.Sample.Clip, pair.Sample.Clip))) waiting.Enqueue(pair);
                else
                {
                    videos.Add(pair.Sample.Id);
                    captions.Add(pair.Caption);
                    batch.Add(pair);
                }
            }
        }
    }

    // What both show would be a wrong answer to itself.
    private static bool Overlap(VideoClip a, VideoClip b) => a.Path == b.Path && a.Pictures is null && b.Pictures is null
        && (a.Start ?? 0) < (b.End ?? double.PositiveInfinity) && (b.Start ?? 0) < (a.End ?? double.PositiveInfinity);
}
