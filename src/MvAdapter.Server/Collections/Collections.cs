using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>What can be searched, and how much of it there is.</summary>
internal sealed class Collections(ClipStore store, CollectionModels models, string program)
{
    private static readonly TimeSpan CountEvery = TimeSpan.FromSeconds(5);
    private readonly Lock gate = new();
    private IReadOnlyList<CollectionAnswer> counted = [];
    private DateTime countedAt;

    /// <summary>The collection that a request means.</summary>
    /// <exception cref="NotFoundException">There is none, or not this one.</exception>
    /// <exception cref="UsageException">There are several and the request names none.</exception>
    /// <exception cref="MvAdapterException">Its model cannot be loaded.</exception>
    public CollectionModelState Choose(long? id)
    {
        var all = models.States;
        if (all.Count == 0) throw new NotFoundException($"the index is empty: fill it by {HowToAdd}");
        if (id is null && all.Where(state => !all.Any(other => other.Collection.Replaces == state.Collection.Id)).ToList() is [var latest]) id = latest.Collection.Id;
        if (id is null && all.Count > 1)
            throw new UsageException("the index has several collections: choose one by collection=ID; /api/collections lists them");
        var chosen = id is { } named ? models.Find(named) : all[0];
        if (chosen is null) throw new NotFoundException($"there is no collection {id}; /api/collections lists what there is");
        return chosen.Problem is { } problem ? throw new MvAdapterException(problem) : chosen;
    }

    /// <summary>The command that fills the index.</summary>
    public string HowToAdd => $"{program} index add VIDEOS --clip CLIP --index {TextForMessage.Quote(store.Name)}";

    /// <summary>The collections with their counts, which are some seconds old at most: counting reads the whole index.</summary>
    public IReadOnlyList<CollectionAnswer> Count()
    {
        lock (gate)
        {
            var states = models.States;
            var same = states.Select(state => state.Collection.Id).SequenceEqual(counted.Select(answer => answer.Id));
            if (same && DateTime.UtcNow - countedAt < CountEvery) return counted;
            counted = [.. states.Select(Count)];
            countedAt = DateTime.UtcNow;
            return counted;
        }
    }

    private CollectionAnswer Count(CollectionModelState state)
    {
        var (info, model) = (store.Info(state.Collection), state.Collection.Model);
        return new CollectionAnswer(state.Collection.Id, state.Name, model.Clip, model.Adapter, info.Videos, info.Bad, info.Clips,
            info.Seconds, state.Problem, state.Collection.Replaces);
    }
}
