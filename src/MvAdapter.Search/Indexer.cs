using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>
/// Brings videos into a collection. A file that is unchanged costs a look at its size and time; the others are cut into
/// clips and encoded, the next ones being decoded meanwhile, and committed each by itself, so that a run that was
/// killed goes on where it was.
/// </summary>
public sealed class Indexer
{
    private const int FilesAhead = 8;
    private readonly ClipStore store;
    private readonly ClipCollection collection;
    private readonly VideoTextEncoder encoder;
    private readonly IndexPlanner planner;
    private readonly VideoReader reader;

    /// <summary>Makes an indexer of a collection with an encoder of its model.</summary>
    /// <exception cref="MvAdapterException">The encoder has another model, or samples otherwise.</exception>
    public Indexer(ClipStore store, ClipCollection collection, VideoTextEncoder encoder, IndexOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        collection.Model.RefuseOther(encoder.Model.Identity, "what was loaded");
        if (FrameSampling.Parse(collection.Model.Sampling) is var sampling && encoder.Sampling != sampling)
            throw new UsageException($"the collection was encoded with \"{sampling}\", not \"{encoder.Sampling}\"; "
                + "leave out --clip, --frames, --fps, --frame-rule and --sampling, or use another index");
        (this.store, this.collection, this.encoder) = (store, collection, encoder);
        options ??= new IndexOptions();
        planner = new IndexPlanner(store, collection, options);
        reader = new VideoReader(encoder.Reader.Processor, encoder.Sampling, parallelism: options.Decoders);
    }

    /// <summary>Indexes files, told one after another by absolute path, in the order in which they come.</summary>
    /// <param name="files">The files; enumerated on another thread, only as far as reading ahead needs.</param>
    /// <param name="done">Called on this thread for each file after its commit.</param>
    /// <param name="cancellation">Ends the work; what is committed stays.</param>
    public void Index(IEnumerable<string> files, Action<IndexOutcome> done, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(done);
        var pending = new Queue<PlannedVideo>();
        using var plans = new Prefetch<PlannedVideo>((add, stop) =>
        {
            foreach (var file in files) add(planner.Plan(file, stop));
        }, FilesAhead, cancellation);
        foreach (var encoded in encoder.EncodeVideos(reader.ReadVideos(Clips(plans.Items, pending, done), cancellation)))
        {
            var video = pending.Peek();
            video.Add(encoded);
            if (video.IsComplete) done(Commit(pending.Dequeue()));
        }
    }

    // Those of each video that has something to encode; it waits in the queue until all of it is.
    private IEnumerable<IReadOnlyList<VideoClip>> Clips(
        IEnumerable<PlannedVideo> plans, Queue<PlannedVideo> pending, Action<IndexOutcome> done)
    {
        foreach (var plan in plans)
        {
            if (plan.IsComplete) done(Commit(plan));
            else
            {
                pending.Enqueue(plan);
                yield return [.. plan.Clips];
            }
        }
    }

    private IndexOutcome Commit(PlannedVideo video)
    {
        var (identity, width) = (collection.Model.Identity, collection.Model.Width);
        if (video.Writes) store.ReplaceVideo(collection, video.Entry, video.Spans, new ClipVectors(identity, width, video.Vectors));
        return video.Outcome;
    }
}
