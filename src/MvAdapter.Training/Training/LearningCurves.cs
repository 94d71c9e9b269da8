using MvAdapter.Evaluation;

namespace MvAdapter.Training;

/// <summary>The logs of runs as plots.</summary>
public static class LearningCurves
{
    private const int SmoothedSteps = 10;
    private const int MostPoints = 200;

    /// <summary>A log short enough to keep: the loss averaged over ten steps or more, and every evaluation.</summary>
    public static IReadOnlyList<TrainingLogEntry> Smooth(IReadOnlyList<TrainingLogEntry> log)
    {
        var losses = log.Where(entry => entry.Loss is not null).ToList();
        return
        [
            .. losses.Chunk(Math.Max(SmoothedSteps, losses.Count / MostPoints))
                .Select(chunk => new TrainingLogEntry { Step = chunk[^1].Step, Loss = chunk.Average(entry => entry.Loss) })
                .Concat(log.Where(entry => entry.TextToVideoR1 is not null)).OrderBy(entry => entry.Step),
        ];
    }

    /// <summary>Adds the plots that the smoothed logs of some runs allow; several runs of a name are averaged.</summary>
    public static void AddTo(HtmlReport page, IReadOnlyList<(string Name, IReadOnlyList<TrainingLogEntry> Log)> runs)
    {
        ArgumentNullException.ThrowIfNull(page);
        page.Heading("Learning curves");
        Plot("Training loss", FormattableString.Invariant($"loss, mean of {SmoothedSteps} steps or more"), entry => entry.Loss);
        Plot("Text to video on the validation split", "R@1, %", entry => entry.TextToVideoR1);
        Plot("Order accuracy on the validation split (chance is 50 %)", "right caption of the two, %", entry => entry.OrderAccuracy);

        void Plot(string title, string yLabel, Func<TrainingLogEntry, double?> value)
        {
            if (!runs.Any(run => run.Log.Any(entry => value(entry) is not null))) return;
            page.Plot(new SvgPlot
            {
                Title = title,
                XLabel = "step",
                YLabel = yLabel,
                Series = [.. runs.GroupBy(run => run.Name).Select(group => new PlotSeries(group.Key, [.. Points(group.SelectMany(run => run.Log), value)]))],
            });
        }
    }

    private static IEnumerable<PlotPoint> Points(IEnumerable<TrainingLogEntry> entries, Func<TrainingLogEntry, double?> value) => entries
        .Where(entry => value(entry) is not null)
        .GroupBy(entry => entry.Step)
        .Select(step => new PlotPoint(step.Key, step.Average(value)!.Value));
}
