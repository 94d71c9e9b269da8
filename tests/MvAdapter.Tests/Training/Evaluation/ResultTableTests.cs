using MvAdapter.Evaluation;

namespace MvAdapter.Tests.Evaluation;

public sealed class ResultTableTests
{
    private static RetrievalReport Report(string method, long seed, double r1, double? order = null) => new()
    {
        Method = method,
        Seed = seed,
        TextToVideo = new RetrievalMetrics(r1, 70, 80, 2, 13.4),
        VideoToText = new RetrievalMetrics(41, 71, 81, 1.5, 10.1),
        TrainableParameters = 3_496_704,
        StorageBytes = 13_986_816,
        TrainSeconds = 3900,
        PeakMemoryBytes = 8_000_000_000,
        OrderAccuracy = order,
        Videos = 10,
        Captions = 10,
    };

    private static readonly ResultTable Table = ResultTable.From(
        [Report("mv_adapter", 1, 40), Report("50% | A&B\u001b[31m\n", 1, 30, 75), Report("mv_adapter", 2, 42)], 149_620_737);

    private static string Cell(int row, string header) => Table.Rows[row][Table.Headers.ToList().IndexOf(header)];

    [Fact]
    public void Seeds_of_a_method_share_a_row()
    {
        Assert.Equal(2, Table.Rows.Count);
        Assert.Equal("2", Cell(0, "Seeds"));
        Assert.Equal("41.0 ± 1.4", Cell(0, "T→V R@1"));
        Assert.Equal("30.0", Cell(1, "T→V R@1"));
        Assert.Equal("1.5 ± 0.0", Cell(0, "V→T MdR"));
    }

    [Fact]
    public void Costs_have_units()
    {
        Assert.Equal("3,496,704", Cell(0, "Trainable"));
        Assert.Equal("2.337", Cell(0, "% of backbone"));
        Assert.Equal("14.0 MB", Cell(0, "Storage"));
        Assert.Equal("1 h 05 min", Cell(0, "Train time"));
        Assert.Equal("8.00 GB", Cell(0, "Peak memory"));
    }

    [Fact]
    public void What_is_not_known_is_a_dash()
    {
        Assert.Equal("–", Cell(0, "Order %"));
        Assert.Equal("75.0", Cell(1, "Order %"));
        var row = ResultTable.From([Report("a", 1, 1)]);
        Assert.Equal("–", row.Rows[0][row.Headers.ToList().IndexOf("% of backbone")]);
        Assert.Empty(ResultTable.From([]).Rows);
    }

    [Fact]
    public void What_no_report_knows_has_no_column_and_short_times_have_digits()
    {
        Assert.DoesNotContain("Step time", Table.Headers);
        var table = ResultTable.From([Report("a", 0, 1) with { Steps = 300, StepSeconds = 0.0351, EncodingSeconds = 0.00412 }, Report("b", 0, 1)]);
        string Of(int row, string header) => table.Rows[row][table.Headers.ToList().IndexOf(header)];
        Assert.Equal(("300", "35.1 ms", "4.12 ms"), (Of(0, "Steps"), Of(0, "Step time"), Of(0, "Encoding a video")));
        Assert.Equal("–", Of(1, "Step time"));
        Assert.DoesNotContain("Order %", table.Headers);
    }

    [Fact]
    public void An_unfinished_row_says_how_many_seeds_it_has()
    {
        var table = ResultTable.From([new ResultRow("a", [Report("a", 0, 12)], 3), new ResultRow("b", [], 3)], 100);
        Assert.Equal(["a", "1 of 3", "12.0"], table.Rows[0].Take(3));
        Assert.Equal(["b", "0 of 3", "–"], table.Rows[1].Take(3));
    }

    [Fact]
    public void Markdown_has_a_cell_for_each_column_and_escapes()
    {
        var lines = Table.ToMarkdown().TrimEnd('\n').Split('\n');
        Assert.Equal(4, lines.Length);
        Assert.StartsWith("| mv\\_adapter | 2 | 41.0 ± 1.4 |", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("| 50% \\| A&B\\\\x1b\\[31m\\\\x0a | 1 |", lines[3], StringComparison.Ordinal);
        Assert.StartsWith("| :-- | --: |", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Latex_is_a_tabular_and_escapes()
    {
        var latex = Table.ToLatex();
        Assert.StartsWith("\\begin{tabular}{l" + new string('r', Table.Headers.Count - 1) + "}\n\\toprule\nMethod & Seeds & T$\\to$V R@1 &", latex, StringComparison.Ordinal);
        Assert.Contains("\nmv\\_adapter & 2 & 41.0 $\\pm$ 1.4 &", latex, StringComparison.Ordinal);
        Assert.Contains("\n50\\% | A\\&B\\textbackslash{}x1b", latex, StringComparison.Ordinal);
        Assert.Equal(3, latex.Split(" \\\\\n").Length - 1);
    }

    [Fact]
    public void Plain_text_is_aligned()
    {
        var lines = Table.ToText().TrimEnd('\n').Split('\n');
        Assert.Equal(3, lines.Length);
        Assert.Single(lines.Select(line => line.Length).Distinct());
        Assert.DoesNotContain('\u001b', Table.ToText());
    }
}
