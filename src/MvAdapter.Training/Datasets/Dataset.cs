namespace MvAdapter.Datasets;

/// <summary>One split of a dataset: the samples whose videos were found, and the names of those that were not.</summary>
/// <param name="Name">The dataset's name, as <see cref="DatasetSource"/> lists it.</param>
/// <param name="Split">The part.</param>
/// <param name="Samples">The samples with a video, in the order of the annotation file.</param>
/// <param name="Missing">The ids of the samples without one.</param>
public sealed record Dataset(
    string Name, Split Split, IReadOnlyList<Sample> Samples, IReadOnlyList<string> Missing)
{
    private const int NamedAtMost = 10;

    /// <summary>
    /// Pairs of samples that only the order of their frames tells apart: what order accuracy is measured on.
    /// Empty for all but MovingShapes and caption files that name reversals.
    /// </summary>
    public IReadOnlyList<ReversalPair> ReversalPairs { get; init; } = [];

    /// <summary>Clips that are wrong answers to captions of others. Only caption files have them.</summary>
    public IReadOnlyList<WrongAnswer> WrongAnswers { get; init; } = [];

    /// <summary>How many samples the annotation files list.</summary>
    public int Expected => Samples.Count + Missing.Count;

    /// <summary>Every caption with its video.</summary>
    public IReadOnlyList<TrainingPair> Pairs =>
        [.. Samples.SelectMany(sample => sample.Captions.Select(caption => new TrainingPair(sample, caption)))];

    /// <summary>One line that counts and names the missing videos, to stand in every table; null when all are there.</summary>
    public string? MissingSummary
    {
        get
        {
            if (Missing.Count == 0) return null;
            var named = string.Join(", ", Missing.Take(NamedAtMost).Select(id => TextForMessage.Quote(id, 80)));
            var rest = Missing.Count > NamedAtMost ? ", ..." : "";
            return FormattableString.Invariant($"{Missing.Count} of {Expected} videos missing: {named}{rest}");
        }
    }
}
