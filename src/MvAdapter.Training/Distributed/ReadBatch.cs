using System.Text.Json;
using MvAdapter.Datasets;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>A video that cannot be read.</summary>
/// <param name="Id">Its name in the dataset.</param>
/// <param name="Reason">Why.</param>
internal sealed record UnreadableVideo(string Id, string Reason);

/// <summary>A batch as it was read: this worker's rows, and how many each worker has.</summary>
/// <param name="Own">The pairs whose videos could be read, of this worker, with the pair's wrong answer where it has one.</param>
/// <param name="Rows">How many of them each worker has; null for one alone.</param>
/// <param name="Unreadable">Videos of any worker that could not be read and were not known before.</param>
internal sealed record ReadBatch(
    IReadOnlyList<(TrainingPair Pair, VideoFrames Frames, VideoFrames? Wrong)> Own, IReadOnlyList<int>? Rows, IReadOnlyList<UnreadableVideo> Unreadable)
{
    /// <summary>Pairs of all workers.</summary>
    public int Count => Rows?.Sum() ?? Own.Count;

    /// <summary>Tells the others what was read, and hears what they have.</summary>
    public static ReadBatch Of(IReadOnlyList<(TrainingPair, VideoFrames, VideoFrames?)> own, List<UnreadableVideo> unreadable, Workers? workers)
    {
        if (workers is null) return new ReadBatch(own, null, unreadable);
        var told = workers.Gather(own.Count, unreadable.Count);
        // Names travel only where there are some.
        IReadOnlyList<UnreadableVideo> all = told.All(numbers => numbers[1] == 0) ? []
            : [.. workers.Gather(JsonSerializer.Serialize(unreadable)).SelectMany(text => JsonSerializer.Deserialize<List<UnreadableVideo>>(text)!)];
        return new ReadBatch(own, [.. told.Select(numbers => (int)numbers[0])], all);
    }
}
