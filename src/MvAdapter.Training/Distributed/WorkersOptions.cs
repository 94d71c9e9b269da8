namespace MvAdapter.Training;

/// <summary>Times of workers, and what to do when one is lost.</summary>
public sealed record WorkersOptions
{
    /// <summary>How long a worker waits for the others to come.</summary>
    public TimeSpan JoinTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a worker waits in a step for the others, which may be reading slow videos.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a worker may give no sign of life: its process is gone or stopped, or the network is cut.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(12);

    /// <summary>What the launcher says of why the workers end; null while it says nothing. Asked every other second by another thread.</summary>
    public Func<string?>? LauncherSays { get; init; }

    /// <summary>
    /// Called by another thread with the reason when a worker is lost and this one has not noticed within some seconds, as one that waits
    /// inside a GPU's library does not: the process should end.
    /// </summary>
    public Action<string>? OnLost { get; init; }
}
