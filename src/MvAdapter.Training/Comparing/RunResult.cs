using System.Text.Json;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>What a finished run of a comparison leaves in its folder: <c>result.json</c>.</summary>
public sealed record RunResult
{
    /// <summary>The numbers; the method is the row's name.</summary>
    public required RetrievalReport Report { get; init; }

    /// <summary>The run's config, as YAML.</summary>
    public required string Config { get; init; }

    /// <summary>Steps that the config asks for; the report has those that were taken.</summary>
    public required long TotalSteps { get; init; }

    /// <summary>Whether early stopping or the last step ended the run, and not a limit of time.</summary>
    public required bool Complete { get; init; }

    /// <summary>Where the model ran.</summary>
    public required string Device { get; init; }

    /// <summary>Threads of the model's work.</summary>
    public required int Threads { get; init; }

    /// <summary>Runs that went on at once.</summary>
    public required int Jobs { get; init; }

    /// <summary>Workers that trained it together.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>The smoothed log.</summary>
    public required IReadOnlyList<TrainingLogEntry> Curve { get; init; }

    /// <summary>The result of a folder, null when its run is not finished.</summary>
    /// <exception cref="InvalidFileException">The file is damaged.</exception>
    public static RunResult? TryRead(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        if (!File.Exists(folder.Result)) return null;
        try
        {
            using var stream = File.OpenRead(folder.Result);
            return JsonSerializer.Deserialize<RunResult>(stream, ResultsFile.Json) ?? throw new JsonException("null is no result");
        }
        catch (JsonException e)
        {
            throw new InvalidFileException(folder.Result, "is no result of a run, or a damaged one; delete it to measure the run again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(folder.Result, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    /// <summary>Writes the result into the run's folder, whole or not at all.</summary>
    public void Write(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        AtomicFile.WriteText(folder.Result, JsonSerializer.Serialize(this, ResultsFile.Json) + "\n");
    }

    /// <summary>The config that the run had.</summary>
    public RunConfig RunConfig() => RunConfigFile.ParseStored(Config, "result.json");

    /// <summary>Whether nothing is left to do for a limit of so much training.</summary>
    public bool IsDone(TimeSpan limit) => Complete || Report.TrainSeconds >= limit.TotalSeconds;
}
