using System.Text;

namespace MvAdapter.Evaluation;

/// <summary>
/// The methods beside each other, one row a method. Where a method has several seeds, figures are mean ± sample standard
/// deviation.
/// </summary>
public sealed class ResultTable
{
    private const string Absent = "–";
    private static readonly string[] Telling = ["Method", "Order %", "T→V R@1", "V→T R@1", "Trainable", "% of backbone", "Storage", "Train time"];

    private ResultTable(IReadOnlyList<string> headers, IReadOnlyList<IReadOnlyList<string>> rows) =>
        (Headers, Rows) = (headers, rows);

    /// <summary>The names of the columns.</summary>
    public IReadOnlyList<string> Headers { get; }

    /// <summary>The cells, row by row; the first column names the method.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Rows { get; }

    /// <summary>
    /// Makes the table, methods in the order of their first appearance. The share of trainable parameters is shown where
    /// the backbone's count is given; what no report knows has no column.
    /// </summary>
    public static ResultTable From(IEnumerable<RetrievalReport> reports, long? backboneParameters = null)
    {
        ArgumentNullException.ThrowIfNull(reports);
        return From([.. reports.GroupBy(report => report.Method).Select(method => new ResultRow(method.Key, [.. method], method.Count()))], backboneParameters);
    }

    /// <summary>Makes the table of rows that may be unfinished: the seeds are then said as "1 of 3".</summary>
    internal static ResultTable From(IReadOnlyList<ResultRow> rows, long? backboneParameters)
    {
        Column[] columns =
        [
            new("Method", row => row.Name),
            new("Seeds", row => row.Reports.Count == row.Planned ? Units.Format($"{row.Planned}") : Units.Format($"{row.Reports.Count} of {row.Planned}")),
            .. MetricColumns("T→V", report => report.TextToVideo),
            .. MetricColumns("V→T", report => report.VideoToText),
            new("Order %", row => Spread(row, report => report.OrderAccuracy), Optional: true),
            new("Trainable", row => Mean(row, report => report.TrainableParameters, Units.Count)),
            new("% of backbone", row => backboneParameters is > 0
                ? Mean(row, report => 100.0 * report.TrainableParameters / backboneParameters.Value, percent => Units.Format($"{percent:0.000}"))
                : Absent),
            new("Storage", row => Mean(row, report => report.StorageBytes, Units.Bytes)),
            new("Steps", row => Mean(row, report => report.Steps, Units.Count), Optional: true),
            new("Step time", row => Mean(row, report => report.StepSeconds, Units.Latency), Optional: true),
            new("Train time", row => Mean(row, report => report.TrainSeconds > 0 ? report.TrainSeconds : null, Units.Duration), Optional: true),   // 0: unknown, or nothing was trained
            new("Peak memory", row => Mean(row, report => report.PeakMemoryBytes, Units.Bytes)),
            new("Encoding a video", row => Mean(row, report => report.EncodingSeconds, Units.Latency), Optional: true),
        ];
        var shown = columns.Select(column => (column.Header, column.Optional, Cells: rows.Select(column.Cell).ToList()))
            .Where(column => !column.Optional || column.Cells.Exists(cell => cell != Absent)).ToList();
        return new ResultTable(
            [.. shown.Select(column => column.Header)],
            [.. rows.Select((_, row) => shown.Select(column => column.Cells[row]).ToList())]);
    }

    /// <summary>The columns that tell most, at a page's width: what was reached and what it cost.</summary>
    public ResultTable First()
    {
        int[] columns = [.. Telling.Select(header => Headers.ToList().IndexOf(header)).Where(column => column >= 0)];
        return new ResultTable([.. columns.Select(column => Headers[column])], [.. Rows.Select(row => columns.Select(column => row[column]).ToList())]);
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

    private static Column[] MetricColumns(string direction, Func<RetrievalReport, RetrievalMetrics> metrics) =>
    [
        new($"{direction} R@1", row => Spread(row, report => metrics(report).R1)),
        new($"{direction} R@5", row => Spread(row, report => metrics(report).R5)),
        new($"{direction} R@10", row => Spread(row, report => metrics(report).R10)),
        new($"{direction} MdR", row => Spread(row, report => metrics(report).MedianRank)),
        new($"{direction} MnR", row => Spread(row, report => metrics(report).MeanRank)),
    ];

    private static string Mean(ResultRow row, Func<RetrievalReport, double?> figure, Func<double, string> format) =>
        row.Reports.Average(figure) is { } mean ? format(mean) : Absent;

    private static string Spread(ResultRow row, Func<RetrievalReport, double?> figure)
    {
        var values = row.Reports.Select(figure).OfType<double>().ToList();
        if (values.Count == 0) return Absent;
        var mean = values.Average();
        if (values.Count == 1) return Units.Format($"{mean:0.0}");
        var deviation = Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
        return Units.Format($"{mean:0.0} ± {deviation:0.0}");
    }

    internal static string EscapeMarkdown(string cell)
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

    /// <summary>A column; an optional one is left out when none of its cells says anything.</summary>
    private sealed record Column(string Header, Func<ResultRow, string> Cell, bool Optional = false);
}

/// <summary>The seeds of one method, as a row of a table.</summary>
/// <param name="Name">What the row is called.</param>
/// <param name="Reports">The results so far.</param>
/// <param name="Planned">How many there will be.</param>
internal sealed record ResultRow(string Name, IReadOnlyList<RetrievalReport> Reports, int Planned);
