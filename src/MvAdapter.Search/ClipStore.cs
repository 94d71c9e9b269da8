namespace MvAdapter.Search;

/// <summary>How many of what a collection holds.</summary>
/// <param name="Collection">The collection.</param>
/// <param name="Videos">Videos without a problem.</param>
/// <param name="Bad">Videos with one.</param>
/// <param name="Clips">Clips of all videos.</param>
/// <param name="Seconds">What the videos last together.</param>
public sealed record CollectionInfo(ClipCollection Collection, long Videos, long Bad, long Clips, double Seconds);

/// <summary>
/// Keeps videos, their clips and their vectors, a collection for each model, and finds the clips nearest to a query.
/// Every change of a video is one transaction: whoever is killed leaves either all of it or nothing. Several processes
/// may use a store at once, and see what the others have committed. Safe for use by several threads.
/// </summary>
public abstract class ClipStore : IDisposable
{
    /// <summary>The most results of a search.</summary>
    public const int MostResults = 10_000;

    // As many clips as are asked for at once for each video wanted, and at most: a video of that many clips that all fit would be days long.
    private const int ClipsOfAVideo = 4;
    private const int MostClips = 1 << 18;

    /// <summary>Opens a store: the path of a file, or <c>postgres://user@host/database</c>.</summary>
    /// <param name="address">Where it is.</param>
    /// <param name="access">What it is opened for.</param>
    /// <exception cref="MvAdapterException">It is not there, of another kind, damaged, or made by a newer version.</exception>
    public static ClipStore Open(string address, StoreAccess access = StoreAccess.Read)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (address.Length == 0) throw new UsageException("the index has no name; give a file or a postgres:// address");
        return PostgresAddress.Is(address) ? PostgresStore.OpenAddress(address, access) : SqliteStore.OpenFile(address, access);
    }

    /// <summary>The store in words, for messages, without any password.</summary>
    public abstract string Name { get; }

    /// <summary>All collections, the oldest first.</summary>
    public abstract IReadOnlyList<ClipCollection> Collections();

    /// <summary>The collections that may be searched: all but those that are still being filled to take another's place.</summary>
    public IReadOnlyList<ClipCollection> Searchable() => [.. Collections().Where(collection => !collection.IsBuilding)];

    /// <summary>Those of them whose place no other has taken.</summary>
    public IReadOnlyList<ClipCollection> Latest()
    {
        var searchable = Searchable();
        return [.. searchable.Where(collection => !searchable.Any(other => other.Replaces == collection.Id))];
    }

    /// <summary>The model's collection, made when it is absent; one that is there keeps what it remembers.</summary>
    public abstract ClipCollection AddCollection(CollectionModel model);

    /// <summary>Removes a collection with all its videos.</summary>
    public abstract void RemoveCollection(ClipCollection collection);

    /// <summary>The captions and marks, which belong to files and not to collections.</summary>
    public abstract AnnotationStore Annotations { get; }

    /// <summary>
    /// The model's collection, made in one transaction with the word that it is to take the place of another one: nobody is to search it
    /// before <see cref="Complete"/>. One that is there and whole stays as it is.
    /// </summary>
    public abstract ClipCollection AddCollection(CollectionModel model, ClipCollection old);

    /// <summary>Says that a collection is whole and takes the other's place from now on; that stays until it is removed.</summary>
    public abstract void Complete(ClipCollection next);

    /// <summary>Some clips of a collection, spread over it by chance, with what is needed to choose among them; the same for a seed as long as nothing changes.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="most">How many at most.</param>
    /// <param name="seed">What chance begins with.</param>
    public IReadOnlyList<SampledClip> Sample(ClipCollection collection, int most, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(collection);
        var ids = ClipIds(collection);
        if (ids.Length > most)
        {
            new Random(seed).Shuffle(ids);
            ids = ids[..most];
            Array.Sort(ids);
        }
        return Clips(collection, ids);
    }

    /// <summary>How many of what there is.</summary>
    public abstract CollectionInfo Info(ClipCollection collection);

    /// <summary>The video of a path, or null.</summary>
    public abstract IndexedVideo? FindVideo(ClipCollection collection, string path);

    /// <summary>The videos with this hash: where a file that has moved is found again.</summary>
    public abstract IReadOnlyList<IndexedVideo> FindByHash(ClipCollection collection, string hash);

    /// <summary>The hashes of those contents among the collection's videos that somebody has said something of.</summary>
    public abstract IReadOnlySet<string> AnnotatedHashes(ClipCollection collection);

    /// <summary>The videos that a filter lets pass, in the order of their paths; read as they are enumerated.</summary>
    public abstract IEnumerable<IndexedVideo> Videos(ClipCollection collection, ClipFilter? filter = null);

    /// <summary>The clips of a video in the order of time.</summary>
    public abstract IReadOnlyList<IndexedClip> Clips(ClipCollection collection, IndexedVideo video);

    /// <summary>A clip and its vector, or null when there is none of this number (any more).</summary>
    public abstract (IndexedClip Clip, ClipVectors Vector)? FindClip(ClipCollection collection, long id);

    /// <summary>Changes what is kept of a video (path, tags, ...) without touching its clips; false when it is gone.</summary>
    public abstract bool UpdateVideo(ClipCollection collection, long id, VideoEntry entry);

    /// <summary>Removes a video with its clips; false when it is not there.</summary>
    public abstract bool RemoveVideo(ClipCollection collection, string path);

    /// <summary>Whether searches of a collection look at a part of its clips, chosen by an approximate index: almost always the nearest are among them.</summary>
    public abstract bool IsApproximate(ClipCollection collection);

    /// <summary>What builds that index; null where the store keeps its own.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="threads">Threads that build; null for all processors.</param>
    public abstract ApproximateIndexBuilder? ApproximateIndexBuilder(ClipCollection collection, int? threads = null);

    /// <summary>Writes a copy of the whole index into a file, as it is at one moment, while others use it.</summary>
    /// <param name="path">The file, which must not be there.</param>
    /// <param name="cancellation">Ends it; nothing is left.</param>
    /// <exception cref="UsageException">The store has tools of its own for that.</exception>
    public abstract void CopyTo(string path, CancellationToken cancellation = default);

    /// <summary>
    /// Checks the store itself and all that is in it: no damage, vectors finite and normalised, no clip of no video, none
    /// twice, every revision consistent. Returns a line for each fault.
    /// </summary>
    public abstract IReadOnlyList<string> Verify(IProgress<long>? clipsChecked = null, CancellationToken cancellation = default);

    /// <summary>Puts a video and its clips in the place of all that was kept for its path, in one transaction.</summary>
    /// <param name="collection">The collection.</param>
    /// <param name="entry">What is kept of the file.</param>
    /// <param name="spans">The clips' times.</param>
    /// <param name="vectors">The clips' vectors, as many.</param>
    /// <returns>The video's number.</returns>
    /// <exception cref="MvAdapterException">The vectors are another model's, not normalised, or not finite.</exception>
    public long ReplaceVideo(ClipCollection collection, VideoEntry entry, IReadOnlyList<ClipSpan> spans, ClipVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(spans);
        Check(collection, vectors, entry.Path);
        if (vectors.Count != spans.Count) throw new ArgumentException($"{spans.Count} clips and {vectors.Count} vectors", nameof(vectors));
        return Replace(collection, entry, spans, vectors);
    }

    /// <summary>
    /// The clips nearest to each query, the nearest first; of equal scores the older clip.
    /// </summary>
    /// <param name="collection">The collection; the queries must be of its model.</param>
    /// <param name="queries">One vector or several.</param>
    /// <param name="count">The most results a query.</param>
    /// <param name="filter">Which videos to look at; null for all.</param>
    /// <param name="exact">Whether every clip is looked at also where the collection has an approximate index (<see cref="IsApproximate"/>).</param>
    /// <param name="cancellation">Ends the search.</param>
    public IReadOnlyList<ClipAnswer> Search(
        ClipCollection collection, ClipVectors queries, int count, ClipFilter? filter = null, bool exact = false, CancellationToken cancellation = default)
    {
        Check(collection, queries, count);
        return Find(collection, queries, count, NullIfEmpty(filter), exact, cancellation);
    }

    /// <summary>
    /// The nearest clip of each video, the nearest first: neighbours in one video, which overlap or follow each other and look alike, do not take
    /// the places of other videos. As many results as asked for, where so many videos pass the filter.
    /// </summary>
    /// <inheritdoc cref="Search"/>
    public IReadOnlyList<ClipAnswer> SearchVideos(
        ClipCollection collection, ClipVectors queries, int count, ClipFilter? filter = null, bool exact = false, CancellationToken cancellation = default)
    {
        Check(collection, queries, count);
        filter = NullIfEmpty(filter);
        for (var clips = count * ClipsOfAVideo; ; clips *= ClipsOfAVideo)
        {
            var found = Find(collection, queries, clips, filter, exact, cancellation);
            var best = found.Select(matches => matches.With(matches.DistinctBy(match => match.Clip.Path, StringComparer.Ordinal).Take(count))).ToArray();
            if (clips >= MostClips || found.Zip(best).All(query => query.Second.Count == count || query.First.Count < clips)) return best;
        }
    }

    /// <summary>Closes the store.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>The clips of a video in the order of time, with their vectors.</summary>
    public IReadOnlyList<SampledClip> ClipsWithVectors(ClipCollection collection, IndexedVideo video)
    {
        long[] ids = [.. Clips(collection, video).Select(clip => clip.Id)];
        return [.. Clips(collection, ids).OrderBy(clip => clip.Clip.Span.Start).ThenBy(clip => clip.Clip.Id)];
    }

    /// <summary>The numbers of all clips, ascending.</summary>
    protected abstract long[] ClipIds(ClipCollection collection);

    /// <summary>The clips of some numbers, in the order of their numbers; those that have gone are left out.</summary>
    protected abstract IReadOnlyList<SampledClip> Clips(ClipCollection collection, long[] ids);

    /// <summary><see cref="ReplaceVideo"/> with what has been checked.</summary>
    protected abstract long Replace(ClipCollection collection, VideoEntry entry, IReadOnlyList<ClipSpan> spans, ClipVectors vectors);

    /// <summary><see cref="Search"/> with what has been checked.</summary>
    protected abstract IReadOnlyList<ClipAnswer> Find(
        ClipCollection collection, ClipVectors queries, int count, ClipFilter? filter, bool exact, CancellationToken cancellation);

    /// <summary>Closes the store.</summary>
    protected abstract void Dispose(bool disposing);

    private static ClipFilter? NullIfEmpty(ClipFilter? filter) => filter is { IsEmpty: true } ? null : filter;

    private static void Check(ClipCollection collection, ClipVectors queries, int count)
    {
        Check(collection, queries, "the query");
        if (count is < 1 or > MostResults) throw new UsageException($"the number of results must be from 1 to {MostResults}, not {count}");
    }

    private static void Check(ClipCollection collection, ClipVectors vectors, string what)
    {
        ArgumentNullException.ThrowIfNull(collection);
        ArgumentNullException.ThrowIfNull(vectors);
        var model = collection.Model;
        model.RefuseOther(vectors.Identity, what);
        if (vectors.Width != model.Width || vectors.Values.Length % vectors.Width != 0)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(what)} has vectors of {vectors.Width} numbers, "
                + $"but the collection has vectors of {model.Width}");
        }
        for (var i = 0; i < vectors.Count; i++)
            if (ClipVectors.Fault(vectors[i].Span, model.Width) is { } fault)
                throw new MvAdapterException($"{TextForMessage.Quote(what)}: {fault}");
    }
}
