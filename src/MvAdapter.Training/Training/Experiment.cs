using MvAdapter.Evaluation;

namespace MvAdapter.Training;

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
        var outcome = MeasuredRun.Run(config, options with { Output = RunFolder(config) }, cancellation);
        ResultsFile.Merge(Results, [outcome.Report]);
        return outcome;
    }
}
