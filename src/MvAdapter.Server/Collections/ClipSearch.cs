using MvAdapter.Search;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Server;

/// <summary>What clips are wanted.</summary>
/// <param name="Collection">Of which collection.</param>
/// <param name="Count">The most.</param>
/// <param name="Filter">Of which videos.</param>
/// <param name="AllClips">Several of a video too, not each one's best alone.</param>
/// <param name="Offset">How many of the best are left out of them.</param>
/// <param name="Exact">Every clip is looked at also where there is an approximate index.</param>
internal sealed record SearchScope(CollectionModelState Collection, int Count, ClipFilter Filter, bool AllClips, int Offset = 0, bool Exact = false);

/// <summary>
/// Answers queries of many users: those that wait are encoded by one pass through the model, on the one thread that owns
/// it, and then looked for by one pass through the index, on another.
/// </summary>
internal sealed class ClipSearch
{
    private readonly ClipStore store;
    private readonly CollectionModels models;
    private readonly ServerMetrics metrics;
    private readonly BatchQueue<Question, float[]> encoding;
    private readonly BatchQueue<(SearchScope Scope, ReadOnlyMemory<float> Query), ClipAnswer> finding;

    public ClipSearch(ClipStore store, CollectionModels models, ServerOptions options, ServerMetrics metrics)
    {
        (this.store, this.models, this.metrics) = (store, models, metrics);
        encoding = new(options.MaxWaiting, options.BatchSize) { OnBatch = metrics.Encoded };
        finding = new(options.MaxWaiting, options.BatchSize) { OnBatch = metrics.Found };
        metrics.Gauge("mvadapter.queue_length", "Queries that wait for the model.", () => encoding.Length);
    }

    /// <summary>The clips that fit words and examples best; the examples are not among them.</summary>
    public async Task<ClipAnswer> ByMix(SearchScope scope, QueryMix mix, IReadOnlyDictionary<long, ReadOnlyMemory<float>> examples, CancellationToken cancellation)
    {
        var query = await Encode(scope.Collection, mix, [.. examples.Values], cancellation).ConfigureAwait(false);
        using (ServerMetrics.Traces.StartActivity("find"))
        {
            var found = await finding.Ask((scope with { Count = Math.Min(scope.Count + examples.Count, ClipStore.MostResults) }, query), cancellation).ConfigureAwait(false);
            return found.With(found.Where(match => !examples.ContainsKey(match.Clip.Id)).Take(scope.Count));
        }
    }

    /// <summary>The vector of words and examples together.</summary>
    public async Task<float[]> Encode(CollectionModelState collection, QueryMix mix, IReadOnlyList<ReadOnlyMemory<float>> examples, CancellationToken cancellation)
    {
        using var trace = ServerMetrics.Traces.StartActivity("encode");
        string[] texts = [.. mix.Words.Length > 0 ? [mix.Words] : Array.Empty<string>(), .. mix.Without];
        var vectors = await Task.WhenAll(texts.Select(text => Encode(collection, text, cancellation))).ConfigureAwait(false);
        if (vectors.Length == 1 && mix.Words.Length > 0 && examples.Count == 0) return vectors[0];
        return mix.Words.Length > 0 ? QueryMix.Compose(vectors[0], examples, vectors[1..]) : QueryMix.Compose(null, examples, vectors);
    }

    /// <summary>The clips most like a video that was read.</summary>
    public async Task<ClipAnswer> ByVideo(SearchScope scope, VideoFrames video, CancellationToken cancellation)
    {
        float[] query;
        using (ServerMetrics.Traces.StartActivity("encode")) query = await encoding.Ask(new Question(scope.Collection, Video: video), cancellation).ConfigureAwait(false);
        using (ServerMetrics.Traces.StartActivity("find")) return await finding.Ask((scope, query), cancellation).ConfigureAwait(false);
    }

    /// <summary>The vector of some words.</summary>
    public Task<float[]> Encode(CollectionModelState collection, string words, CancellationToken cancellation) => encoding.Ask(new Question(collection, Words: words), cancellation);

    /// <summary>Loads the models of collections that are new.</summary>
    public Task RefreshModels(CancellationToken cancellation) => encoding.Ask(new Question(null), cancellation);

    /// <summary>Encodes, on the calling thread, until it is cancelled: the model's thread.</summary>
    public void RunModel(CancellationToken cancellation) => encoding.Run(question => question.Collection, (collection, jobs) =>
    {
        if (collection is null)
        {
            models.Refresh(cancellation);
            foreach (var job in jobs) job.Complete([]);
            return;
        }
        // It may have gone while they waited.
        var encoder = models.Find(collection.Collection.Id)?.Encoder
            ?? throw new NotFoundException($"there is no collection {collection.Collection.Id} any more");
        var texts = jobs.Where(job => job.Input.Words is not null).ToList();
        if (texts.Count > 0)
        {
            var rows = encoder.EncodeTexts([.. texts.Select(job => job.Input.Words!)], cancellation);
            foreach (var (i, job) in texts.Index()) job.Complete(rows[(i * encoder.Width)..((i + 1) * encoder.Width)]);
        }
        var videos = jobs.Where(job => job.Input.Video is not null).ToList();
        if (videos.Count == 0) return;
        try
        {
            var embeddings = encoder.EncodeVideos(videos.Select(job => job.Input.Video!));
            foreach (var (job, encoded) in videos.Zip(embeddings)) job.Complete(encoded.Embedding);
        }
        finally
        {
            TorchRuntime.EmptyCache();   // encoding words wants a hundredth of what a video took
        }
    }, cancellation);

    /// <summary>Looks for clips, on the calling thread, until it is cancelled.</summary>
    public void RunIndex(CancellationToken cancellation) => finding.Run(search => search.Scope, (scope, jobs) =>
    {
        var collection = scope.Collection.Collection;
        float[] queries = [.. jobs.SelectMany(job => job.Input.Query.ToArray())];
        var vectors = new ClipVectors(collection.Model.Identity, collection.Model.Width, queries);
        var results = scope.AllClips ? store.Search(collection, vectors, scope.Count, scope.Filter, scope.Exact, cancellation)
            : store.SearchVideos(collection, vectors, scope.Count, scope.Filter, scope.Exact, cancellation);
        foreach (var (job, found) in jobs.Zip(results))
        {
            if (found.Missing.Count > 0) metrics.Partial();
            job.Complete(found);
        }
    }, cancellation);

    // Words or a video; of no collection, that new ones be loaded.
    private sealed record Question(CollectionModelState? Collection, string? Words = null, VideoFrames? Video = null);
}
