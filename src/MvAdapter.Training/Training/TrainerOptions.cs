using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>What a run is done with; nothing here changes its result, save a time limit.</summary>
public sealed record TrainerOptions
{
    /// <summary>The run's folder; made when it does not exist, resumed when it holds a checkpoint.</summary>
    public required string Output { get; init; }

    /// <summary>Where the model runs.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>A folder of prepared frames (<c>prepare</c>); null to decode while training.</summary>
    public string? Cache { get; init; }

    /// <summary>Whether a single missing video is an error.</summary>
    public bool Strict { get; init; }

    /// <summary>Time between checkpoints. One is also written after each evaluation and when the run is cancelled.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Training ends at the first step after so much of it, evaluations not counted.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.MaxValue;

    /// <summary>
    /// Those who train together, each in a process of its own: all make the same calls. The first writes the files and is told of steps
    /// and messages. Null for one alone.
    /// </summary>
    public Workers? Workers { get; init; }

    /// <summary>Told of every step.</summary>
    public Action<TrainingProgress>? OnStep { get; init; }

    /// <summary>Told, in one line each, what a person at the terminal wants to know.</summary>
    public Action<string>? OnMessage { get; init; }
}

/// <summary>A step that was taken.</summary>
/// <param name="Step">Steps taken.</param>
/// <param name="Total">Steps of the whole run.</param>
/// <param name="Loss">The step's loss.</param>
/// <param name="VideosPerSecond">Videos trained on per second, over the last steps.</param>
public readonly record struct TrainingProgress(long Step, long Total, double Loss, double VideosPerSecond);
