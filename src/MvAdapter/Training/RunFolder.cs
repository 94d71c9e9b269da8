namespace MvAdapter.Training;

/// <summary>The files of a run.</summary>
/// <param name="Path">The folder.</param>
public sealed record RunFolder(string Path)
{
    /// <summary>The run's config, for people; checkpoints carry their own.</summary>
    public string Config => File("config.yaml");

    /// <summary>The state to resume from.</summary>
    public string Checkpoint => File("checkpoint.safetensors");

    /// <summary>What the last step left, as an adapter checkpoint.</summary>
    public string Adapter => File("adapter.safetensors");

    /// <summary>What the best evaluation on the validation split saw.</summary>
    public string Best => File("best.safetensors");

    /// <summary>One JSON object a step and an evaluation.</summary>
    public string Log => File("log.jsonl");

    /// <summary>What the run reached and what it cost, where it was measured.</summary>
    public string Result => File("result.json");

    /// <summary>The folder of the run that made an adapter file: FILE.run beside it, else the folder it lies in.</summary>
    public static RunFolder Of(string adapter) =>
        new(Directory.Exists(adapter + ".run") ? adapter + ".run" : System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(adapter))!);

    /// <summary>How far the folder's run has come; null when it holds no run of that config.</summary>
    public RunProgress? TryReadProgress(RunConfig config) =>
        System.IO.File.Exists(Checkpoint) && RunConfigFile.Differences(RunCheckpoint.ReadConfig(Checkpoint), config).Count == 0
            ? RunCheckpoint.ReadProgress(Checkpoint)
            : null;

    /// <summary>Keeps other processes from training in the folder until disposed; a killed process holds nothing.</summary>
    /// <exception cref="UsageException">Another process trains in it.</exception>
    internal IDisposable Hold()
    {
        try
        {
            return new FileStream(File(".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException e) when (e.GetType() == typeof(IOException) && System.IO.File.Exists(File(".lock")))
        {
            throw new UsageException($"another process is training in {TextForMessage.Quote(Path)}; wait for it, or choose another --output");
        }
    }

    /// <summary>Refuses a folder whose run is of another config.</summary>
    /// <exception cref="UsageException">The line names the fields that differ.</exception>
    internal void RefuseOther(RunConfig config)
    {
        if (System.IO.File.Exists(Checkpoint)) RefuseOther(RunCheckpoint.ReadConfig(Checkpoint), config);
    }

    /// <summary>Refuses a config that is not that of the folder's run.</summary>
    /// <exception cref="UsageException">The line names the fields that differ.</exception>
    internal void RefuseOther(RunConfig before, RunConfig config)
    {
        var differences = RunConfigFile.Differences(before, config);
        if (differences.Count > 0)
            throw new UsageException($"the folder {TextForMessage.Quote(Path)} holds a run of another config, which differs in {string.Join(", ", differences)}; choose another --output, or the same settings to resume");
    }

    /// <summary>A file of the folder.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);
}
