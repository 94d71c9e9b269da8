using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>A run of a comparison.</summary>
/// <param name="Row">Its row.</param>
/// <param name="Config">Its config, with the seed.</param>
/// <param name="Folder">Where it lies.</param>
/// <param name="TrainableParameters">Parameters that it trains.</param>
public sealed record PlannedRun(ComparisonRow Row, RunConfig Config, RunFolder Folder, long TrainableParameters)
{
    /// <summary>The run in words.</summary>
    public string Name => TrainableParameters == 0 ? Row.Name : FormattableString.Invariant($"{Row.Name}, seed {Config.Seed}");
}

/// <summary>Which runs make a comparison: every row with every seed; a row that trains nothing once.</summary>
public sealed class ComparisonPlan
{
    private ComparisonPlan(string folder, long backboneParameters, IReadOnlyList<PlannedRun> runs) =>
        (Folder, BackboneParameters, Runs) = (folder, backboneParameters, runs);

    /// <summary>The comparison's folder.</summary>
    public string Folder { get; }

    /// <summary>Parameters of CLIP.</summary>
    public long BackboneParameters { get; }

    /// <summary>All runs, row by row.</summary>
    public IReadOnlyList<PlannedRun> Runs { get; }

    /// <summary>The runs by row, in the order of the table.</summary>
    public IEnumerable<IGrouping<ComparisonRow, PlannedRun>> Rows => Runs.GroupBy(run => run.Row);

    /// <summary>Plans a comparison and refuses what cannot be run, before anything is.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="ablations">More rows, of which those that equal another are left out.</param>
    /// <param name="seeds">The seeds.</param>
    /// <param name="folder">The comparison's folder.</param>
    /// <param name="clip">The backbone.</param>
    /// <exception cref="UsageException">There is no row, two are the same, a setting does not fit, or the folder holds other runs.</exception>
    public static ComparisonPlan Create(
        IReadOnlyList<ComparisonRow> rows, IReadOnlyList<ComparisonRow> ablations, IReadOnlyList<long> seeds, string folder, ClipModel clip)
    {
        var runs = new List<PlannedRun>();
        var known = new Dictionary<string, ComparisonRow>(StringComparer.Ordinal);
        foreach (var row in rows.Concat(ablations))
        {
            var (identity, trainable) = Inspect(row, clip);
            if (!known.TryAdd(identity, row))
            {
                if (runs.Count > 0 && ablations.Contains(row)) continue;
                throw new UsageException($"the rows '{TextForMessage.Quote(known[identity].Name, 80)}' and '{TextForMessage.Quote(row.Name, 80)}' are the same; leave one out");
            }
            foreach (var seed in trainable == 0 ? [0] : seeds)
            {
                var path = Path.Combine(folder, "runs", FormattableString.Invariant($"{row.FolderName}-seed{seed}"));
                var run = new PlannedRun(row, row.Config with { Seed = seed }, new RunFolder(path), trainable);
                if (runs.Exists(other => other.Folder.Path == path)) throw new UsageException($"two rows would be kept in {TextForMessage.Quote(path)}; write one of them otherwise");
                run.Config.Validate();
                run.Folder.RefuseOther(run.Config);
                if (RunResult.TryRead(run.Folder) is { } result) run.Folder.RefuseOther(result.RunConfig(), run.Config);
                runs.Add(run);
            }
        }
        if (runs.Count == 0) throw new UsageException("no method to compare: name some by --methods, or all");
        return new ComparisonPlan(folder, clip.Parameters.ElementCount, runs);
    }

    /// <summary>What tells the row from others, and how many parameters it trains.</summary>
    private static (string Identity, long Trainable) Inspect(ComparisonRow row, ClipModel clip)
    {
        var config = row.Config;
        var definition = Methods.Find(config.Method);
        try
        {
            using var method = definition.Create(clip.Config, definition.Complete(config.Settings, config.Frames, config.Words));
            var trainable = method.Parameters.ElementCount
                + clip.Parameters.Items.Where(parameter => method.Trains(parameter.Key)).Sum(parameter => parameter.Value.ElementCount);
            return (RunConfigFile.ToYaml(config with { Settings = method.Settings }), trainable);
        }
        catch (MvAdapterException e)
        {
            throw new UsageException($"row '{TextForMessage.Quote(row.Name, 80)}': {e.Message}");
        }
    }
}
