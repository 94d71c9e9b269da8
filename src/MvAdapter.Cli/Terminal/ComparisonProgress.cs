using System.Globalization;
using MvAdapter.Comparing;
using MvAdapter.Evaluation;

namespace MvAdapter.Cli;

/// <summary>One bar over the steps of all runs that are left, and a line for each that ends.</summary>
internal sealed class ComparisonProgress : IDisposable
{
    private readonly Dictionary<PlannedRun, long> first = [];
    private readonly Dictionary<PlannedRun, long> reached = [];
    private readonly HashSet<PlannedRun> ended = [];
    private readonly List<PlannedRun> runs;
    private readonly Lock gate = new();
    private readonly Terminal.Progress bar = Terminal.Begin("steps of all runs", 0);
    private long stepsOfRun;

    /// <summary>Begins the progress of the runs that are left.</summary>
    public ComparisonProgress(IEnumerable<PlannedRun> left)
    {
        runs = [.. left];
        foreach (var run in runs.Where(run => run.TrainableParameters > 0)) first[run] = reached[run] = run.Folder.TryReadProgress(run.Config)?.Step ?? 0;
    }

    /// <summary>A run has taken a step.</summary>
    public void Step(PlannedRun run, long step, long total, string loss)
    {
        lock (gate)
        {
            (reached[run], stepsOfRun) = (step, total);
            Count();
            bar.Report(reached.Sum(item => item.Value - first[item.Key]), string.Create(CultureInfo.InvariantCulture, $"{run.Name}: {step}/{total}, loss {loss}"));
        }
    }

    /// <summary>A run has ended.</summary>
    public void Ended(PlannedRun run, RetrievalReport? report, string? failure)
    {
        lock (gate)
        {
            ended.Add(run);
            Count();
            bar.Clear();
            var outcome = report is null ? $"failed: {failure}"
                : string.Create(CultureInfo.InvariantCulture, $"R@1 {report.TextToVideo.R1:0.0} % text to video, {report.VideoToText.R1:0.0} % video to text{(report.OrderAccuracy is { } order ? $", order accuracy {order:0.0} %" : "")}");
            Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"[{ended.Count}/{runs.Count}] {run.Name}: {outcome}"));
        }
    }

    public void Dispose() => bar.Dispose();

    // What a run that ended early left undone is no longer to come.
    private void Count() => bar.Total = reached.Sum(item => (ended.Contains(item.Key) ? item.Value : Math.Max(stepsOfRun, item.Value)) - first[item.Key]);
}
