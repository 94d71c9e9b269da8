namespace MvAdapter.Search;

/// <summary>How videos are indexed.</summary>
public sealed record IndexOptions
{
    /// <summary>How videos are cut; null for the collection's own way.</summary>
    public ClipSplitting? Splitting { get; init; }

    /// <summary>Tags that the videos get besides those they have.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Tags of a file's own, by its path; null for none.</summary>
    internal Func<string, IReadOnlyList<string>>? TagsOf { get; init; }

    /// <summary>Whether unchanged files that could not be encoded before are tried again.</summary>
    public bool RetryBad { get; init; }

    /// <summary>How many decoders run at once; null for one a processor.</summary>
    public int? Decoders { get; init; }
}

/// <summary>What became of a file.</summary>
public enum IndexAction
{
    /// <summary>It is as it was; nothing was encoded.</summary>
    Unchanged,

    /// <summary>It is new.</summary>
    Added,

    /// <summary>It was there with another content, or cut otherwise, and was encoded again.</summary>
    Changed,

    /// <summary>It was there under a path that is gone; nothing was encoded.</summary>
    Moved,
}

/// <summary>What became of a file; all of it is committed when this is told.</summary>
/// <param name="Path">The file.</param>
/// <param name="Action">What was done.</param>
/// <param name="Clips">The number of clips that were encoded now.</param>
/// <param name="Problem">What could not be encoded and why; null when all was.</param>
public sealed record IndexOutcome(string Path, IndexAction Action, int Clips, string? Problem);
