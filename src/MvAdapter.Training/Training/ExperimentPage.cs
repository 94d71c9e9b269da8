using System.Globalization;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>An experiment as one HTML page that needs nothing but itself: table, learning curves, and what some queries found.</summary>
public static class ExperimentPage
{
    private const int Queries = 6;
    private const int ShownResults = 3;

    /// <summary>Writes the page.</summary>
    /// <param name="path">The file.</param>
    /// <param name="title">The page's heading.</param>
    /// <param name="introduction">What the experiment is, in a few sentences.</param>
    /// <param name="outcomes">The methods; the last one's queries are shown.</param>
    /// <param name="test">The test split.</param>
    /// <param name="frames">Gives the pictures of the videos shown.</param>
    /// <param name="imageSize">Side of those pictures.</param>
    /// <param name="backboneParameters">Parameters of CLIP.</param>
    public static void Write(
        string path, string title, string introduction, IReadOnlyList<Outcome> outcomes, Dataset test, FrameSource frames, int imageSize, long backboneParameters)
    {
        var page = new HtmlReport(title);
        page.Paragraph(introduction);
        page.Heading("Results").Table("Retrieval on the test split, and what each method costs.", ResultTable.From(outcomes.Select(outcome => outcome.Report), backboneParameters));
        var trained = outcomes.Where(outcome => outcome.Log.Count > 0).ToList();
        if (trained.Count > 0) LearningCurves.AddTo(page, [.. trained.Select(outcome => (Name(outcome), LearningCurves.Smooth(outcome.Log)))]);
        Found(page, outcomes[^1], test, frames, imageSize);
        page.Write(path);
    }

    private static void Found(HtmlReport page, Outcome outcome, Dataset test, FrameSource frames, int imageSize)
    {
        var samples = test.Samples.ToDictionary(sample => sample.Id, StringComparer.Ordinal);
        var queries = outcome.Evaluation.Queries();
        // Evenly over the test set, so that nobody has chosen them, and one that went wrong.
        var shown = Enumerable.Range(0, Math.Min(Queries - 1, queries.Count)).Select(i => queries[i * queries.Count / Queries])
            .Concat(RankedQuery.Worst(queries, 1)).Distinct();
        page.Heading($"What {Name(outcome)} finds").Paragraph("Each strip shows frames of one video in the order of time; the best results stand first.");
        foreach (var query in shown)
        {
            var images = query.Top.Take(ShownResults).Where(found => samples.ContainsKey(found.Id))
                .Select(found => (Found: found, Frames: frames.Read(samples[found.Id].Clip)))
                .Where(item => item.Frames.Error is null)
                .Select((item, i) => new ReportImage(
                    Strip(item.Frames, imageSize),
                    string.Create(CultureInfo.InvariantCulture, $"{i + 1}. {item.Found.Id}{(item.Found.Id == query.Video ? " (the right one)" : "")}, score {item.Found.Score:0.000}: {samples[item.Found.Id].Captions[0]}")))
                .ToList();
            page.Images(string.Create(CultureInfo.InvariantCulture, $"“{query.Caption}”: the right video ranks {query.Rank} of {outcome.Report.Videos}"), images);
        }
    }

    /// <summary>The frames side by side, as a PNG in a data URI.</summary>
    private static string Strip(VideoFrames frames, int size)
    {
        var (count, row) = (frames.FrameCount, size * 3);
        var rgb = new byte[count * size * row];
        for (var frame = 0; frame < count; frame++)
            for (var y = 0; y < size; y++)
                frames.Pixels.AsSpan((frame * size + y) * row, row).CopyTo(rgb.AsSpan((y * count + frame) * row));
        return PngWriter.DataUri(rgb, count * size, size);
    }

    private static string Name(Outcome outcome) => string.Create(CultureInfo.InvariantCulture, $"{outcome.Report.Method}{(outcome.Report.Seed == 0 ? "" : $", seed {outcome.Report.Seed}")}");
}
