using System.Numerics.Tensors;
using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>A caption and how well it describes a video.</summary>
/// <param name="Index">Its place in the list, from 0.</param>
/// <param name="Caption">Its text.</param>
/// <param name="Score">The cosine of the angle between the two.</param>
public sealed record CaptionMatch(int Index, string Caption, float Score);

/// <summary>Asks a collection in words, by a video, or by one of its own clips.</summary>
public sealed class Searcher
{
    private readonly ClipStore store;
    private readonly ClipCollection collection;
    private readonly VideoTextEncoder encoder;

    /// <summary>Makes a searcher of a collection with an encoder of its model.</summary>
    /// <exception cref="MvAdapterException">The encoder has another model.</exception>
    public Searcher(ClipStore store, ClipCollection collection, VideoTextEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        collection.Model.RefuseOther(encoder.Model.Identity, "what was loaded");
        (this.store, this.collection, this.encoder) = (store, collection, encoder);
    }

    /// <summary>Whether a video gives its best clip alone, so that its neighbours do not take the places of other videos.</summary>
    public bool OnePerVideo { get; init; }

    /// <summary>Whether every clip is looked at also where the collection has an approximate index.</summary>
    public bool Exact { get; init; }

    /// <summary>The clips that fit some words best; what follows a minus is not to be seen (<see cref="QueryMix"/>).</summary>
    public ClipAnswer ByText(string words, int count, ClipFilter? filter = null, CancellationToken cancellation = default)
    {
        var query = QueryMix.Parse(words);
        var rows = encoder.EncodeTexts([query.Words, .. query.Without], cancellation).Chunk(encoder.Width).ToList();
        return Search(query.Without.Count == 0 ? rows[0] : QueryMix.Compose(rows[0], [], rows[1..]), count, filter, cancellation);
    }

    /// <summary>The clips most like a video, or a part of one, that need not be in the collection.</summary>
    /// <exception cref="VideoException">It cannot be decoded.</exception>
    public ClipAnswer ByVideo(
        VideoClip video, int count, ClipFilter? filter = null, CancellationToken cancellation = default) =>
        Search(Encode(video, cancellation), count, filter, cancellation);

    /// <summary>The clips most like one of the collection; that one is not among them.</summary>
    /// <exception cref="MvAdapterException">There is no such clip.</exception>
    public ClipAnswer ByClip(long id, int count, ClipFilter? filter = null, CancellationToken cancellation = default)
    {
        var (_, vector) = store.FindClip(collection, id) ?? throw new MvAdapterException($"there is no clip {id} in {store.Name}");
        var found = Search(vector, Math.Min(count + 1, ClipStore.MostResults), filter, cancellation);
        return found.With(found.Where(match => match.Clip.Id != id).Take(count));
    }

    /// <summary>The captions of a list that fit a video best.</summary>
    /// <exception cref="VideoException">It cannot be decoded.</exception>
    public IReadOnlyList<CaptionMatch> Captions(
        VideoClip video, IReadOnlyList<string> captions, int count, CancellationToken cancellation = default)
    {
        var query = Encode(video, cancellation);
        var rows = encoder.EncodeTexts(captions, cancellation);
        float Score(int i) => TensorPrimitives.Dot<float>(query, rows.AsSpan(i * encoder.Width, encoder.Width));
        var matches = captions.Select((caption, i) => new CaptionMatch(i, caption, Score(i)));
        return [.. matches.OrderByDescending(match => match.Score).Take(count)];
    }

    private float[] Encode(VideoClip video, CancellationToken cancellation)
    {
        var encoded = encoder.EncodeVideos([video], cancellation).Single();
        return encoded.Error is { } error ? throw error : encoded.Embedding;
    }

    private ClipAnswer Search(float[] query, int count, ClipFilter? filter, CancellationToken cancellation) =>
        Search(new ClipVectors(collection.Model.Identity, collection.Model.Width, query), count, filter, cancellation);

    private ClipAnswer Search(ClipVectors query, int count, ClipFilter? filter, CancellationToken cancellation) =>
        (OnePerVideo ? store.SearchVideos(collection, query, count, filter, Exact, cancellation) : store.Search(collection, query, count, filter, Exact, cancellation))[0];
}
