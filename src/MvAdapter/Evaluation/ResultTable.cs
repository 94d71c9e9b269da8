using System.Text;

namespace MvAdapter.Evaluation;

/// <summary>
/// The methods beside each other, one row a method. Where a method has several seeds, figures are mean ± sample standard
/// deviation.
/// </summary>
public sealed class ResultTable
{
    private const string Absent = "–";

    private ResultTable(IReadOnlyList<string> headers, IReadOnlyList<IReadOnlyList<string>> rows) =>
        (Headers, Rows) = (headers, rows);

    /// <summary>The names of the columns.</summary>
    public IReadOnlyList<string> Headers { get; }

    /// <summary>The cells, row by row; the first column names the method.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows { get; }

    /// <summary>
    /// Makes the table, methods in the order of their first appearance. The share of trainable parameters is shown where
    /// the backbone's count is given.
    /// </summary>
    public static ResultTable From(IEnumerable<RetrievalReport> reports, long? backboneParameters = null)
    {
        ArgumentNullException.ThrowIfNull(reports);
        (string Header, Func<IReadOnlyList<RetrievalReport>, string> Cell)[] columns =
        [
            ("Method", seeds => seeds[0].Method),
            ("Seeds", seeds => Units.Format($"{seeds.Count}")),
            .. MetricColumns("T→V", report => report.TextToVideo),
            .. MetricColumns("V→T", report => report.VideoToText),
            ("Order %", seeds => Spread(seeds.Where(report => report.OrderAccuracy is not null), report => report.OrderAccuracy!.Value)),
            ("Trainable", seeds => Units.Count(Mean(seeds, report => report.TrainableParameters))),
            ("% of backbone", seeds => backboneParameters is > 0
                ? Units.Format($"{100 * Mean(seeds, report => report.TrainableParameters) / backboneParameters.Value:0.000}")
                : Absent),
            ("Storage", seeds => Units.Bytes(Mean(seeds, report => report.StorageBytes))),
            ("Train time", seeds => Units.Duration(Mean(seeds, report => report.TrainSeconds))),
            ("Peak memory", seeds => Units.Bytes(Mean(seeds, report => report.PeakMemoryBytes))),
        ];
        var methods = reports.GroupBy(report => report.Method).Select(method => method.ToList());
        return new ResultTable(
            [.. columns.Select(column => column.Header)],
            [.. methods.Select(seeds => columns.Select(column => column.Cell(seeds)).ToList())]);
    }

    /// <summary>A GitHub-flavoured Markdown table.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder();
        foreach (var row in Rows.Prepend([.. Headers.Select((_, column) => column == 0 ? ":--" : "--:")]).Prepend(Headers))
            text.Append("| ").AppendJoin(" | ", row.Select(EscapeMarkdown)).Append(" |\n");
        return text.ToString();
    }

    /// <summary>A LaTeX tabular for the booktabs package.</summary>
    public string ToLatex()
    {
        var text = new StringBuilder("\\begin{tabular}{l").Append('r', Headers.Count - 1).Append("}\n\\toprule\n");
        AppendLatexRow(Headers);
        text.Append("\\midrule\n");
        foreach (var row in Rows) AppendLatexRow(row);
        return text.Append("\\bottomrule\n\\end{tabular}\n").ToString();

        void AppendLatexRow(IReadOnlyList<string> row) =>
            text.AppendJoin(" & ", row.Select(EscapeLatex)).Append(" \\\\\n");
    }

    /// <summary>Columns aligned with spaces.</summary>
    public string ToText()
    {
        var all = Rows.Prepend(Headers).Select(row => row.Select(cell => TextForMessage.Quote(cell)).ToList()).ToList();
        var widths = Headers.Select((_, column) => all.Max(row => row[column].Length)).ToList();
        var text = new StringBuilder();
        foreach (var row in all)
        {
            var cells = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]));
            text.AppendJoin("  ", cells).Append('\n');
        }
        return text.ToString();
    }

    private static (string, Func<IReadOnlyList<RetrievalReport>, string>)[] MetricColumns(
        string direction, Func<RetrievalReport, RetrievalMetrics> metrics) =>
    [
        ($"{direction} R@1", seeds => Spread(seeds, report => metrics(report).R1)),
        ($"{direction} R@5", seeds => Spread(seeds, report => metrics(report).R5)),
        ($"{direction} R@10", seeds => Spread(seeds, report => metrics(report).R10)),
        ($"{direction} MdR", seeds => Spread(seeds, report => metrics(report).MedianRank)),
        ($"{direction} MnR", seeds => Spread(seeds, report => metrics(report).MeanRank)),
    ];

    private static double Mean(IReadOnlyList<RetrievalReport> seeds, Func<RetrievalReport, double> figure) => seeds.Average(figure);

    private static string Spread(IEnumerable<RetrievalReport> seeds, Func<RetrievalReport, double> figure)
    {
        var values = seeds.Select(figure).ToList();
        if (values.Count == 0) return Absent;
        var mean = values.Average();
        if (values.Count == 1) return Units.Format($"{mean:0.0}");
        var deviation = Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
        return Units.Format($"{mean:0.0} ± {deviation:0.0}");
    }

    private static string EscapeMarkdown(string cell)
    {
        var text = new StringBuilder();
        foreach (var c in TextForMessage.Quote(cell))
        {
            if (c is '\\' or '|' or '*' or '_' or '`' or '<' or '[') text.Append('\\');
            text.Append(c);
        }
        return text.ToString();
    }

    private static string EscapeLatex(string cell)
    {
        var text = new StringBuilder();
        foreach (var c in TextForMessage.Quote(cell))
            text.Append(c switch
            {
                '\\' => "\\textbackslash{}",
                '~' => "\\textasciitilde{}",
                '^' => "\\textasciicircum{}",
                '→' => "$\\to$",
                '±' => "$\\pm$",
                '–' => "--",
                '_' or '%' or '&' or '#' or '$' or '{' or '}' => $"\\{c}",
                _ => c.ToString(),
            });
        return text.ToString();
    }
}
