namespace MvAdapter.Search;

/// <summary>What became of a job so far.</summary>
public enum JobState
{
    /// <summary>Waits for a worker.</summary>
    Ready,

    /// <summary>A worker has it.</summary>
    Taken,

    /// <summary>Its video is in the index.</summary>
    Done,

    /// <summary>Given up after too many attempts.</summary>
    Dead,
}

/// <summary>A file that workers are to index.</summary>
/// <param name="Path">The absolute path, as the workers see it.</param>
/// <param name="State">What became of it.</param>
/// <param name="Attempts">How often it was taken.</param>
/// <param name="Worker">Who took it last.</param>
/// <param name="Problem">Why the last attempt failed.</param>
public sealed record IndexJob(string Path, JobState State, int Attempts, string? Worker, string? Problem);

/// <summary>How workers treat jobs.</summary>
public sealed record JobOptions
{
    /// <summary>How long a worker may be silent before others take its jobs.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often a file is tried before it is given up.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>The wait after the first failure; it doubles with each further one.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether a worker ends when no job is left, rather than to wait for more.</summary>
    public bool ExitWhenEmpty { get; init; }
}

/// <summary>A job in a worker's hands, and what proves it: each taking has another token.</summary>
internal sealed record Lease(long Id, string Path, long Token, int Attempt)
{
    /// <summary>Tags that its video gets.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether the transaction that stores its video has ended it; that is committed once the file's outcome is told.</summary>
    public bool Ended { get; set; }
}

/// <summary>A worker was silent for longer than its lease, and another has its job.</summary>
internal sealed class LeaseLostException(string path)
    : MvAdapterException($"{TextForMessage.Quote(path)}: another worker has taken it, as this one was silent for too long; nothing of it was stored here");
