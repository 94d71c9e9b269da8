using System.Text.Json;
using MvAdapter.Files;
using MvAdapter.Teaching;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>What a run of <c>index train</c> began with; a run that goes on takes it from here and not from the index, which may have grown.</summary>
internal sealed record TeachingSnapshot(long Collection, long Seed, IReadOnlyList<TaughtClip> Clips, IReadOnlyList<TaughtClip> Others)
{
    /// <summary>Clips that were called wrong answers, each with the queries in its captions' place.</summary>
    public IReadOnlyList<TaughtClip> Wrong { get; init; } = [];

    /// <summary>What is trained.</summary>
    public string Method { get; init; } = "mv-adapter";

    /// <summary>Whether all captions are learnt from and none is kept to measure by.</summary>
    public bool All { get; init; }
}

/// <summary>How far a run is, for whoever looks at it from outside.</summary>
/// <param name="Stage">train, measure, done, failed or stopped.</param>
/// <param name="Message">The last line that was said.</param>
/// <param name="Step">Steps taken of the stage.</param>
/// <param name="Total">Steps of the stage.</param>
/// <param name="Part">Which part of a cross-validation, from 1.</param>
/// <param name="Parts">How many there are; one more is trained on all in the end.</param>
internal sealed record TeachingState(string Stage, string Message, long Step, long Total, int Part, int Parts);

/// <summary>The files of a run of <c>index train</c>.</summary>
/// <param name="Path">The folder.</param>
internal sealed record TeachingFolder(string Path)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The adapter, once it is there.</summary>
    public string Adapter => File("adapter.safetensors");

    /// <summary>What it has changed.</summary>
    public string Report => File("report.json");

    /// <summary>How far it is.</summary>
    public string State => File("state.json");

    private string Snapshot => File("clips.json");

    /// <summary>The run of a part, or the last one on all clips.</summary>
    public string Part(int part) => File($"part{part}");

    /// <summary>Before and after of a part, once measured.</summary>
    public string Ranks(int part) => File($"part{part}.json");

    /// <summary>A file of the folder.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>What the run began with; null where it has not begun.</summary>
    public TeachingSnapshot? ReadSnapshot() => Read<TeachingSnapshot>(Snapshot);

    /// <summary>What a part found; null where it was not measured.</summary>
    public List<HeldQuery>? ReadRanks(int part) => Read<List<HeldQuery>>(Ranks(part));

    /// <summary>Writes what the run begins with.</summary>
    public void Begin(TeachingSnapshot snapshot)
    {
        Directory.CreateDirectory(Path);
        Write(Snapshot, snapshot);
    }

    /// <summary>Writes a value as JSON.</summary>
    public static void Write<T>(string file, T value) => AtomicFile.WriteText(file, JsonSerializer.Serialize(value, Json));

    /// <summary>Keeps other processes from training here until disposed; a killed process holds nothing.</summary>
    public IDisposable Hold()
    {
        Directory.CreateDirectory(Path);
        return new RunFolder(Path).Hold();
    }

    private static T? Read<T>(string file)
        where T : class
    {
        if (!System.IO.File.Exists(file)) return null;
        try
        {
            return JsonSerializer.Deserialize<T>(System.IO.File.ReadAllText(file), Json);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(file, $"cannot be read: {TextForMessage.Quote(e.Message)}; delete the folder to begin anew", e);
        }
    }
}
