using MvAdapter.Training;

namespace MvAdapter.Datasets.Shapes;

/// <summary>One video to make, and where; with its exact reversal where <see cref="ReversedFile"/> names one.</summary>
internal sealed record PlannedVideo(Split Split, int Index, Story Story, string File, string? ReversedFile);

/// <summary>Which story each video tells. A story and its reversal are always in the same split.</summary>
internal static class MovingShapesPlan
{
    private const ulong Stream = 0x504C414E; // "PLAN"

    // Half of all stories and their reversals stay for training.
    private static readonly int MostPairs = Story.All.Count / 4;

    public static IReadOnlyList<PlannedVideo> Make(MovingShapesSettings settings)
    {
        Check(settings);
        var random = SeededRandom.For(settings.Seed, Stream, 0);
        // A story and its reversal are one class; the one that is named first in it is drawn by lot.
        var classes = Story.All.Where(IsFirstOfClass).Select(story => random.Next(2) == 0 ? story : story.Reversed).ToArray();
        random.Shuffle<Story>(classes);
        var test = classes[..settings.TestPairs];
        var val = classes[settings.TestPairs..(settings.TestPairs + settings.ValPairs)];
        var train = classes[(settings.TestPairs + settings.ValPairs)..].SelectMany(story => new[] { story, story.Reversed }).ToArray();
        random.Shuffle<Story>(train);
        return
        [
            .. Enumerable.Range(0, settings.Videos).Select(i =>
                new PlannedVideo(Split.Train, i, train[i % train.Length], FileName(Split.Train, i), null)),
            .. Pairs(Split.Val, val),
            .. Pairs(Split.Test, test),
        ];
    }

    private static IEnumerable<PlannedVideo> Pairs(Split split, Story[] stories) => stories.Select((story, i) =>
        new PlannedVideo(split, i, story, FileName(split, 2 * i), FileName(split, 2 * i + 1)));

    private static string FileName(Split split, int number) =>
        FormattableString.Invariant($"videos/{split.ToName()}/{number:00000}.mp4");

    private static bool IsFirstOfClass(Story story) =>
        (story.First, story.Second).CompareTo((story.Reversed.First, story.Reversed.Second)) < 0;

    private static void Check(MovingShapesSettings settings)
    {
        if (settings.Videos is < 1 or > 100_000) throw new UsageException($"{settings.Videos} training videos: choose 1 to 100000");
        if (settings.TestPairs < 1) throw new UsageException($"{settings.TestPairs} test pairs: choose at least 1");
        if (settings.ValPairs < 1) throw new UsageException($"{settings.ValPairs} validation pairs: choose at least 1");
        if ((long)settings.TestPairs + settings.ValPairs > MostPairs)
            throw new UsageException($"{settings.TestPairs} test and {settings.ValPairs} validation pairs: " +
                $"there are captions for {MostPairs} in all");
    }
}
