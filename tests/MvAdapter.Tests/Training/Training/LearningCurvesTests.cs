using MvAdapter.Evaluation;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class LearningCurvesTests
{
    private static IReadOnlyList<TrainingLogEntry> Log(int steps) =>
    [
        .. Enumerable.Range(1, steps).Select(step => new TrainingLogEntry { Step = step, Loss = step }),
        new TrainingLogEntry { Step = steps, TextToVideoR1 = 40 },
    ];

    [Fact]
    public void A_smoothed_log_keeps_evaluations_and_averages_losses()
    {
        var smooth = LearningCurves.Smooth(Log(25));
        Assert.Equal([5.5, 15.5, 23], smooth.Select(entry => entry.Loss).OfType<double>());
        Assert.Equal(40, Assert.Single(smooth, entry => entry.TextToVideoR1 is not null).TextToVideoR1);
        Assert.InRange(LearningCurves.Smooth(Log(100_000)).Count, 100, 300);
        Assert.Empty(LearningCurves.Smooth([]));
    }

    [Fact]
    public void Runs_of_a_name_are_one_curve_and_what_nobody_measured_has_no_plot()
    {
        var page = new HtmlReport("page");
        LearningCurves.AddTo(page, [("a", LearningCurves.Smooth(Log(20))), ("a", LearningCurves.Smooth(Log(20))), ("b", LearningCurves.Smooth(Log(30)))]);
        var html = page.ToHtml();
        Assert.Contains("Training loss", html, StringComparison.Ordinal);
        Assert.Contains("Text to video on the validation split", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Order accuracy", html, StringComparison.Ordinal);
        // Two points of the curve a, not four.
        Assert.Equal(2, html.Split("<title>a: ").Length - 1 - 1);
    }
}
