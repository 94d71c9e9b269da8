using MvAdapter.Evaluation;
using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>A comparison as one page that needs nothing but itself: the table, what accuracy costs, and the learning curves.</summary>
internal static class ComparisonPage
{
    public static string Create(
        string title, string introduction, ResultTable table, IReadOnlyList<string> notes, IReadOnlyList<(string Name, IReadOnlyList<RunResult> Results)> rows)
    {
        var page = new HtmlReport(title).Paragraph(introduction).Heading("Results").Table("Retrieval on the test split, and what each method costs.", table);
        foreach (var note in notes) page.Paragraph(note);
        if (rows.Count == 0) return page.ToHtml();

        page.Heading("What accuracy costs");
        Scatter("Accuracy and trainable parameters", "trainable parameters", logarithmic: true, report => report.TrainableParameters);
        Scatter("Accuracy and memory", "peak memory, GB", logarithmic: false, report => report.PeakMemoryBytes / 1e9);
        Scatter("Accuracy and training time", "training, minutes", logarithmic: false, report => report.TrainSeconds / 60);
        var logs = rows.SelectMany(row => row.Results.Where(result => result.Curve.Count > 0).Select(result => (row.Name, result.Curve))).ToList();
        if (logs.Count > 0) LearningCurves.AddTo(page, logs);
        return page.ToHtml();

        void Scatter(string name, string xLabel, bool logarithmic, Func<RetrievalReport, double> cost) => page.Plot(new SvgPlot
        {
            Title = name,
            Description = "Text-to-video R@1 on the test split, the mean over the seeds; up and to the left is better.",
            XLabel = xLabel,
            YLabel = "R@1, %",
            Kind = PlotKind.Scatter,
            LogarithmicX = logarithmic,
            Series = [.. rows.Select(row => new PlotSeries(row.Name,
                [new PlotPoint(row.Results.Average(result => cost(result.Report)), row.Results.Average(result => result.Report.TextToVideo.R1))]))],
        });
    }
}
