namespace MvAdapter.Datasets;

/// <summary>Where a dataset lies and which part of it is wanted.</summary>
public sealed record DatasetOptions
{
    /// <summary>The folder of the official annotation files; for <c>captions</c>, the file itself.</summary>
    public required string Annotations { get; init; }

    /// <summary>The folder under which the videos lie, however nested; null: that of the annotations.</summary>
    public string? Videos { get; init; }

    /// <summary>The part to load.</summary>
    public Split Split { get; init; } = Split.Train;

    /// <summary>Whether a single missing video is an error.</summary>
    public bool Strict { get; init; }
}
