using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>How far a run has come, beside its tensors.</summary>
public sealed record RunProgress
{
    /// <summary>Steps of the optimiser taken.</summary>
    public long Step { get; init; }

    /// <summary>Batches that were passed over because too few of their videos could be read.</summary>
    public long SkippedBatches { get; init; }

    /// <summary>The step after which the validation split was last evaluated.</summary>
    public long Evaluated { get; init; }

    /// <summary>Seconds of training so far, evaluations not counted.</summary>
    public double TrainSeconds { get; init; }

    /// <summary>The most memory held so far, bytes.</summary>
    public long PeakMemory { get; init; }

    /// <summary>The best sum of R@1 both ways on the validation split, percent; null before the first evaluation.</summary>
    public double? Best { get; init; }

    /// <summary>Evaluations since the best one.</summary>
    public int SinceBest { get; init; }

    /// <summary>Whether early stopping has ended the run.</summary>
    public bool Stopped { get; init; }

    /// <summary>The names of the videos that could not be read.</summary>
    public IReadOnlyList<string> Skipped { get; init; } = [];
}

/// <summary>
/// The state of a run in one safetensors file: what trains, the optimiser's moments, the progress and the config. It is
/// written under another name, synced and renamed, so that whatever happens the last complete one survives.
/// </summary>
internal static class RunCheckpoint
{
    private const string ParameterPrefix = "parameter.";
    private const string OptimizerPrefix = "optimizer.";

    public static void Save(string path, RunConfig config, RetrievalModel model, BertAdam optimizer, RunProgress progress)
    {
        var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in model.TrainableParameters()) tensors[ParameterPrefix + name] = Store(tensor);
        foreach (var (name, tensor) in optimizer.State()) tensors[OptimizerPrefix + name] = Store(tensor);
        Safetensors.Write(path, tensors, new Dictionary<string, string>
        {
            [AdapterCheckpoint.ConfigKey] = RunConfigFile.ToYaml(config),
            ["progress"] = JsonSerializer.Serialize(progress),
        });
    }

    /// <summary>The config that a checkpoint was made with.</summary>
    public static RunConfig ReadConfig(string path) => RunConfigFile.TryReadFrom(path)
        ?? throw new InvalidFileException(path, "is no checkpoint of a training run");

    /// <summary>Puts a checkpoint's state into a model and an optimiser of the same config.</summary>
    public static RunProgress Restore(string path, RetrievalModel model, BertAdam optimizer)
    {
        var file = Safetensors.Read(path);
        var progress = ReadProgress(path, file.Metadata);
        var shapes = model.TrainableParameters().ToDictionary(item => item.Key, item => item.Value.Shape, StringComparer.Ordinal);
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        foreach (var (name, parameter) in model.TrainableParameters())
            parameter.CopyFrom(Find(ParameterPrefix, name) ?? throw new InvalidFileException(path, $"holds no {ParameterPrefix}{name}"));
        optimizer.Restore(progress.Step, key => Find(OptimizerPrefix, key)?.To(model.Device));
        return progress;

        Tensor? Find(string prefix, string key)
        {
            if (!file.Tensors.TryGetValue(prefix + key, out var stored)) return null;
            var shape = shapes[prefix == ParameterPrefix ? key : ParameterOf(key)];
            return stored.Shape.SequenceEqual(shape) && stored.DType == DType.Float32
                ? Tensor.FromBytes(stored.Data.Span, stored.DType, stored.Shape)
                : throw new InvalidFileException(path, $"{prefix}{key} is not float32 [{string.Join(", ", shape)}]: the file is damaged");
        }
    }

    /// <summary>Gives every worker the first one's weights, moments and progress: of the checkpoint that it has read, or those to begin with.</summary>
    /// <returns>The progress; null where there is no checkpoint.</returns>
    public static RunProgress? Share(Workers workers, RetrievalModel model, BertAdam optimizer, RunProgress? progress)
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        foreach (var (_, parameter) in model.TrainableParameters()) workers.Guarded(() => workers.Group.Broadcast(parameter));
        var state = optimizer.State().ToDictionary(item => item.Key, item => item.Value, StringComparer.Ordinal);
        var shared = JsonSerializer.Deserialize<SharedState>(workers.Gather(workers.IsFirst ? JsonSerializer.Serialize(new SharedState(progress, [.. state.Keys])) : "")[0])!;
        var shapes = model.TrainableParameters().ToDictionary(item => item.Key, item => item.Value.Shape, StringComparer.Ordinal);
        foreach (var key in shared.Keys)
        {
            if (!workers.IsFirst) state[key] = Tensor.Zeros([.. shapes[ParameterOf(key)]], device: model.Device);
            workers.Guarded(() => workers.Group.Broadcast(state[key]));
        }
        if (!workers.IsFirst && shared.Progress is { } reached) optimizer.Restore(reached.Step, key => state.GetValueOrDefault(key));
        return shared.Progress;
    }

    /// <summary>How far the run of a checkpoint has come.</summary>
    public static RunProgress ReadProgress(string path) => ReadProgress(path, Safetensors.ReadMetadata(path));

    private static RunProgress ReadProgress(string path, IReadOnlyDictionary<string, string> metadata)
    {
        try
        {
            if (metadata.TryGetValue("progress", out var json) && JsonSerializer.Deserialize<RunProgress>(json) is { Step: >= 0 } progress) return progress;
        }
        catch (JsonException)
        {
            // The line below says what there is to say.
        }
        throw new InvalidFileException(path, "is no checkpoint of a training run, or a damaged one; delete it to begin anew");
    }

    // The optimiser's keys are "mean." or "variance." and a parameter's name.
    private static string ParameterOf(string key) => key[(key.IndexOf('.', StringComparison.Ordinal) + 1)..];

    private sealed record SharedState(RunProgress? Progress, IReadOnlyList<string> Keys);

    private static StoredTensor Store(Tensor tensor) => new(tensor.DType, [.. tensor.Shape], tensor.ToBytes());
}
