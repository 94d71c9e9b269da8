namespace MvAdapter.Training;

/// <summary>The files of a run.</summary>
/// <param name="Path">The folder.</param>
public sealed record RunFolder(string Path)
{
    /// <summary>The run's config, for people; checkpoints carry their own.</summary>
    public string Config => File("config.yaml");

    /// <summary>The state to resume from.</summary>
    public string Checkpoint => File("checkpoint.safetensors");

    /// <summary>The state before that one, for the case that it is damaged; gone once the run has ended.</summary>
    public string PreviousCheckpoint => File("checkpoint.previous.safetensors");

    /// <summary>The next state, whole, for the moment before it takes the other's place.</summary>
    private string NextCheckpoint => File("checkpoint.next.safetensors");

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
        ReadCheckpoint(path => RunConfigFile.Differences(RunCheckpoint.ReadConfig(path), config).Count == 0 ? RunCheckpoint.ReadProgress(path) : null);

    /// <summary>Reads the checkpoint, or the one before it where it is damaged; null where the folder has none.</summary>
    /// <param name="read">Reads one; an <see cref="InvalidFileException"/> says that it is damaged.</param>
    /// <param name="warn">Told, in one line, of a damaged one.</param>
    /// <exception cref="InvalidFileException">It is damaged, and there is no other.</exception>
    internal T? ReadCheckpoint<T>(Func<string, T?> read, Action<string>? warn = null) where T : class
    {
        string[] paths = [.. new[] { Checkpoint, NextCheckpoint, PreviousCheckpoint }.Where(System.IO.File.Exists)];
        if (paths is [] || paths[0] == PreviousCheckpoint) return null;
        foreach (var path in paths.SkipLast(1))
        {
            try
            {
                return read(path);
            }
            catch (InvalidFileException e)
            {
                warn?.Invoke($"{e.Message}; going on from the checkpoint before it");
            }
        }
        return read(paths[^1]);
    }

    /// <summary>Puts a new checkpoint into the place of the last one, which stays as the previous one.</summary>
    /// <param name="save">Writes it to a path.</param>
    internal void ReplaceCheckpoint(Action<string> save)
    {
        save(NextCheckpoint);
        if (System.IO.File.Exists(Checkpoint)) System.IO.File.Move(Checkpoint, PreviousCheckpoint, overwrite: true);
        System.IO.File.Move(NextCheckpoint, Checkpoint, overwrite: true);
    }

    /// <summary>Keeps other processes from training in the folder until disposed; a killed process holds nothing.</summary>
    /// <exception cref="UsageException">Another process trains in it.</exception>
    public IDisposable Hold()
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
        if (ReadCheckpoint(RunCheckpoint.ReadConfig) is { } before) RefuseOther(before, config);
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
