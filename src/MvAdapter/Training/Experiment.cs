using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>A method that was trained and measured.</summary>
/// <param name="Report">The numbers.</param>
/// <param name="Evaluation">What they follow from.</param>
/// <param name="Log">The run's log; empty for a method that trains nothing.</param>
public sealed record Outcome(RetrievalReport Report, RetrievalEvaluation Evaluation, IReadOnlyList<TrainingLogEntry> Log);

/// <summary>
/// Methods trained on one dataset and measured on its test split, in one folder: <c>runs/METHOD-seedN</c> and
/// <c>results.json</c>. What was done before is not done again; what was interrupted goes on.
/// </summary>
/// <param name="folder">The experiment's folder.</param>
/// <param name="options">What the runs are done with; their output is set for each.</param>
public sealed class Experiment(string folder, TrainerOptions options)
{
    /// <summary>The results of all methods, a JSON array.</summary>
    public string Results => Path.Combine(folder, "results.json");

    /// <summary>The folder of a run.</summary>
    public string RunFolder(RunConfig config) => Path.Combine(folder, "runs", FormattableString.Invariant($"{config.Method}-seed{config.Seed}"));

    /// <summary>Trains a method unless it is trained, and measures it on the test split.</summary>
    /// <exception cref="MvAdapterException">The config cannot be run, or a file cannot be read or written.</exception>
    public Outcome Run(RunConfig config, CancellationToken cancellation = default)
    {
        config.Validate();
        var outcome = Untrained(config, cancellation) ?? Trained(config, cancellation);
        ResultsFile.Merge(Results, [outcome.Report]);
        return outcome;
    }

    private Outcome Trained(RunConfig config, CancellationToken cancellation)
    {
        var run = new RunFolder(RunFolder(config));
        Directory.CreateDirectory(run.Path);
        using var trainer = new Trainer(config, options with { Output = run.Path }, cancellation);
        var progress = trainer.Run(cancellation);
        var evaluation = trainer.Evaluate(Split.Test, cancellation);
        return new Outcome(
            Reports.Of(trainer.Model, config.Seed, evaluation, progress.TrainSeconds, progress.PeakMemory),
            evaluation,
            File.Exists(run.Log) ? JsonLines.Read<TrainingLogEntry>(run.Log) : []);
    }

    /// <summary>The outcome of a method that trains nothing; null for any other.</summary>
    private Outcome? Untrained(RunConfig config, CancellationToken cancellation)
    {
        TorchRuntime.ResetPeakMemory(options.Device);
        using var loaded = TrainingModel.Load(config, options.Device, cancellation);
        if (loaded.Model.TrainableParameters().Any()) return null;
        using var frames = FrameSource.Open(loaded.Encoder.Reader, options.Cache);
        var evaluation = Evaluator.Evaluate(loaded.Encoder, config.Load(Split.Test, options.Strict), frames.Read, null, cancellation);
        return new Outcome(Reports.Of(loaded.Model, config.Seed, evaluation, 0, TorchRuntime.Memory(options.Device).Peak), evaluation, []);
    }
}
