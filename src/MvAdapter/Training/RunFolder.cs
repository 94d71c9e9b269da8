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

    /// <summary>A file of the folder.</summary>
    public string File(string name) => System.IO.Path.Combine(Path, name);
}
