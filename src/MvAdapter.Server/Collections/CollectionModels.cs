using System.Collections.Concurrent;
using System.Globalization;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>A collection and the encoder of its model, or why there is none.</summary>
/// <param name="Collection">The collection.</param>
/// <param name="Name">What to call it.</param>
/// <param name="Encoder">The encoder; null after a problem.</param>
/// <param name="Problem">Why it cannot be searched; null when it can.</param>
internal sealed record CollectionModelState(ClipCollection Collection, string Name, VideoTextEncoder? Encoder, string? Problem);

/// <summary>
/// The models of an index's collections, each CLIP in memory once with all its adapters over it. Loaded and used by the
/// model's thread; other threads look.
/// </summary>
/// <param name="store">The index.</param>
/// <param name="onThisMachine">Says where a model runs and how.</param>
internal sealed class CollectionModels(ClipStore store, Func<ModelSource, ModelSource> onThisMachine) : IDisposable
{
    private static readonly string[] UsualNames = ["adapter", "best"];
    private readonly ConcurrentDictionary<long, CollectionModelState> states = new();
    private readonly Dictionary<(string Clip, string? Vocabulary), AdapterSet> backbones = [];

    /// <summary>What is loaded, the oldest collection first.</summary>
    public IReadOnlyList<CollectionModelState> States => [.. states.Values.OrderBy(state => state.Collection.Id)];

    /// <summary>The state of a collection; null when it is not loaded.</summary>
    public CollectionModelState? Find(long collection) => states.GetValueOrDefault(collection);

    /// <summary>Loads what has come into the index, and forgets what has gone. One that cannot be loaded hinders no other.</summary>
    public void Refresh(CancellationToken cancellation)
    {
        var collections = store.Searchable();
        foreach (var gone in states.Keys.Except(collections.Select(collection => collection.Id)).ToList())
            if (states.TryRemove(gone, out var state) && state.Encoder is not null)
                Backbone(state.Collection.Model, cancellation).Remove(Task(state.Collection));
        foreach (var collection in collections)
            if (!states.ContainsKey(collection.Id)) states[collection.Id] = Load(collection, cancellation);
    }

    /// <summary>Frees all models.</summary>
    public void Dispose()
    {
        states.Clear();
        foreach (var set in backbones.Values) set.Dispose();
        backbones.Clear();
    }

    private CollectionModelState Load(ClipCollection collection, CancellationToken cancellation)
    {
        var (model, name) = (collection.Model, Name(collection.Model));
        try
        {
            var set = Backbone(model, cancellation);
            set.Add(Task(collection), onThisMachine(model.ToSource()));
            var encoder = set[Task(collection)];
            if (encoder.Model.Identity == model.Identity) return new CollectionModelState(collection, name, encoder, null);
            set.Remove(Task(collection));
            return new CollectionModelState(collection, name, null,
                $"{TextForMessage.Quote(model.Adapter ?? model.Clip)} is not the model that the clips were encoded with; "
                + "put the old file back, or index again");
        }
        catch (MvAdapterException e)
        {
            return new CollectionModelState(collection, name, null, e.Message);
        }
    }

    private AdapterSet Backbone(CollectionModel model, CancellationToken cancellation)
    {
        if (!backbones.TryGetValue((model.Clip, model.Vocabulary), out var set))
        {
            var source = onThisMachine(new ModelSource(model.Clip) { Vocabulary = model.Vocabulary, Backbone = model.Identity.Backbone });
            backbones[(model.Clip, model.Vocabulary)] = set = AdapterSet.Load(source, [], cancellation: cancellation);
        }
        return set;
    }

    private static string Task(ClipCollection collection) => collection.Id.ToString(CultureInfo.InvariantCulture);

    // adapter.safetensors is called as its folder is, others by their own names.
    private static string Name(CollectionModel model)
    {
        var clip = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(model.Clip));
        if (model.Adapter is not { } adapter) return $"zero-shot {clip}";
        var name = Path.GetFileNameWithoutExtension(adapter);
        return UsualNames.Contains(name) && Path.GetFileName(Path.GetDirectoryName(adapter)) is { Length: > 0 } folder ? folder : name;
    }
}
