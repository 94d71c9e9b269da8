using System.Globalization;
using MvAdapter.Comparing;

namespace MvAdapter.Cli;

/// <summary>Carries a comparison out: starts what is not finished, some at once, and writes the table after each.</summary>
/// <param name="plan">The runs.</param>
/// <param name="slots">How many at once.</param>
/// <param name="together">How many workers train each run together, and the device as it was named; null for one.</param>
/// <param name="cache">The folder of frames.</param>
/// <param name="minutes">The most minutes of training of a run.</param>
/// <param name="remarks">What else the table must say.</param>
internal sealed class Comparison(ComparisonPlan plan, RunSlots slots, (int Workers, string Device)? together, string cache, double? minutes, IReadOnlyList<string> remarks)
{
    private readonly Dictionary<PlannedRun, RunResult> results = [];
    private readonly Dictionary<PlannedRun, string> failures = [];

    /// <summary>The runs.</summary>
    public ComparisonPlan Plan => plan;

    /// <summary>Why runs failed.</summary>
    public IReadOnlyDictionary<PlannedRun, string> Failures => failures;

    /// <summary>The comparison as it stands.</summary>
    public ComparisonReport Report() => new(plan, results, failures, remarks);

    /// <summary>Does what is left to do.</summary>
    public void Run(CancellationToken cancellation)
    {
        var limit = minutes is { } given ? TimeSpan.FromMinutes(given) : TimeSpan.MaxValue;
        foreach (var run in plan.Runs)
            if (RunResult.TryRead(run.Folder) is { } result && result.IsDone(limit)) Add(run, result);
        Report().Write();
        // Every row with the first seed, then every row with the next: an unfinished table has all rows.
        var left = new Queue<PlannedRun>(plan.Runs.Where(run => !results.ContainsKey(run)).OrderBy(run => run.Config.Seed));
        if (results.Count > 0) Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{results.Count} of {plan.Runs.Count} runs are finished already"));
        using var progress = new ComparisonProgress(left);
        var active = new Dictionary<Task<string?>, PlannedRun>();
        while (left.Count > 0 || active.Count > 0)
        {
            while (left.Count > 0 && active.Count < slots.Jobs)
            {
                var run = left.Dequeue();
                active.Add(Task.Factory.StartNew(() => Train(run, progress, cancellation), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), run);
            }
            var ended = Task.WhenAny(active.Keys).GetAwaiter().GetResult();
            active.Remove(ended, out var done);
            if (cancellation.IsCancellationRequested)
            {
                Task.WhenAll(active.Keys).ContinueWith(_ => { }, TaskScheduler.Default).GetAwaiter().GetResult();
                cancellation.ThrowIfCancellationRequested();
            }
            if (ended.GetAwaiter().GetResult() is { } why) failures[done!] = why;
            else Add(done!, RunResult.TryRead(done!.Folder)!);
            Report().Write();
            progress.Ended(done!, results.GetValueOrDefault(done!)?.Report, failures.GetValueOrDefault(done!));
        }
    }

    private void Add(PlannedRun run, RunResult result)
    {
        results[run] = result;
        slots.Fit(results.Values.Max(other => other.Report.PeakMemoryBytes));
    }

    private string? Train(PlannedRun run, ComparisonProgress progress, CancellationToken cancellation)
    {
        List<string> options = ["--cache", cache, "--device", together?.Device ?? slots.Device.ToString(), "--jobs", Text(slots.Jobs)];
        if (together is { } group) options.AddRange(["--workers", Text(group.Workers)]);
        if (slots.ThreadsOfRun is { } threads) options.AddRange(["--threads", Text(threads)]);
        if (minutes is { } limit) options.AddRange(["--minutes", Text(limit)]);
        using var child = new ChildRun(run, options, (step, total, loss) => progress.Step(run, step, total, loss));
        return child.Wait(cancellation);
    }

    private static string Text(IFormattable value) => value.ToString(null, CultureInfo.InvariantCulture);
}
