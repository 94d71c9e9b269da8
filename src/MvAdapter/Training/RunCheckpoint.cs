using System.Globalization;
using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>How far a run has come, beside its tensors.</summary>
public sealed record RunProgress
{
    /// <summary>Steps of the optimiser taken.</summary>
    public long Step { get; init; }

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

    /// <summary>Videos that could not be read, by name, with the reason.</summary>
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
            ["config"] = RunConfigFile.ToYaml(config),
            ["progress"] = JsonSerializer.Serialize(progress),
            ["optimizer_steps"] = optimizer.Steps.ToString(CultureInfo.InvariantCulture),
        });
    }

    /// <summary>The config that a checkpoint was made with.</summary>
    public static RunConfig ReadConfig(string path) => Safetensors.ReadMetadata(path).TryGetValue("config", out var yaml)
        ? RunConfigFile.Parse(yaml, path)
        : throw new InvalidFileException(path, "is no checkpoint of a training run");

    /// <summary>Puts a checkpoint's state into a model and an optimiser of the same config.</summary>
    public static RunProgress Restore(string path, RetrievalModel model, BertAdam optimizer)
    {
        var file = Safetensors.Read(path);
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        foreach (var (name, parameter) in model.TrainableParameters())
            parameter.CopyFrom(Find(ParameterPrefix + name) ?? throw new InvalidFileException(path, $"holds no {ParameterPrefix}{name}"));
        optimizer.Restore(long.Parse(file.Metadata["optimizer_steps"], CultureInfo.InvariantCulture), name => Find(OptimizerPrefix + name)?.To(model.Device));
        return JsonSerializer.Deserialize<RunProgress>(file.Metadata["progress"])!;

        Tensor? Find(string name) => file.Tensors.TryGetValue(name, out var stored) ? Tensor.FromBytes(stored.Data.Span, stored.DType, stored.Shape) : null;
    }

    private static StoredTensor Store(Tensor tensor) => new(tensor.DType, [.. tensor.Shape], tensor.ToBytes());
}
