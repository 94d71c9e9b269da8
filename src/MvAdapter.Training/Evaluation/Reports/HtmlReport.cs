using System.Text;

namespace MvAdapter.Evaluation;

/// <summary>A picture of a report, such as a frame.</summary>
/// <param name="DataUri">The picture itself, as <see cref="PngWriter.DataUri"/> makes it.</param>
/// <param name="Description">What it shows, for those who cannot see it.</param>
public sealed record ReportImage(string DataUri, string Description);

/// <summary>
/// Builds one page that needs nothing but itself: no script, no network, safe to mail. All text is escaped; sections stand
/// in the order in which they are added.
/// </summary>
public sealed class HtmlReport(string title)
{
    // The policy is the second lock: even text that slipped through could not run or load anything.
    private const string Head =
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        """;

    private const string Style =
        """
        :root{--ink:#1f2328;--muted:#59636e;--page:#f6f8fa;--paper:#fff;--line:#d8dee4;--stripe:#f6f8fa}
        @media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--muted:#9aa4af;--page:#0d1117;--paper:#161b22;--line:#2d343d;--stripe:#1b2129}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif;overflow-wrap:break-word}
        main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}
        h1{font-size:1.8rem;line-height:1.2;margin:.5rem 0 1rem}
        h2{font-size:1.25rem;margin:2.5rem 0 .5rem}
        p{max-width:46rem}
        figure{margin:1.25rem 0;padding:1rem;background:var(--paper);border:1px solid var(--line);border-radius:.6rem}
        figcaption{font-size:.9rem;color:var(--muted)}
        figcaption+*{margin-top:.6rem}
        *+figcaption{margin-top:.6rem}
        .scroll{overflow-x:auto}
        summary{cursor:pointer;color:var(--muted)}
        .scroll:focus-visible{outline:2px solid #0072b2;outline-offset:2px}
        .mv-plot{display:block;width:100%;max-width:52rem;min-width:30rem;margin:0 auto}
        table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;min-width:100%}
        th,td{padding:.4rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
        td{min-width:4rem}
        thead th{white-space:nowrap;color:var(--muted);font-weight:600;vertical-align:bottom}
        tbody th{min-width:9rem;position:sticky;left:0;background:var(--paper);font-weight:600}
        tbody tr:nth-child(even)>*{background:var(--stripe)}
        tbody tr:last-child>*{border-bottom:0}
        .number{text-align:right;white-space:nowrap}
        .frames{display:flex;gap:.35rem;overflow-x:auto}
        .frames img{height:7rem;border-radius:.25rem}
        @media(max-width:40rem){figure{padding:.7rem;margin-inline:-.5rem}}
        @media print{body{background:none}figure{break-inside:avoid}}
        """;

    private readonly StringBuilder body = new();

    /// <summary>Starts a section.</summary>
    public HtmlReport Heading(string text) => Add($"<h2>{Markup.Escape(text)}</h2>");

    /// <summary>Adds a paragraph.</summary>
    public HtmlReport Paragraph(string text) => Add($"<p>{Markup.Escape(text)}</p>");

    /// <summary>Adds a table whose first column names the rows; columns of numbers are set to the right.</summary>
    public HtmlReport Table(string caption, IReadOnlyList<string> headers, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        ArgumentNullException.ThrowIfNull(headers);
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Any(row => row.Count != headers.Count))
            throw new ArgumentException("each row needs a cell for each header", nameof(rows));

        var escaped = Markup.Escape(caption);
        var classes = headers.Select((_, column) =>
            column > 0 && rows.All(row => LooksNumeric(row[column])) ? " class=\"number\"" : "").ToList();
        // A region that scrolls must be reachable by keyboard and needs a name.
        Add($"<figure><figcaption>{escaped}</figcaption><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{escaped}\">");
        body.Append($"<table aria-label=\"{escaped}\"><thead><tr>");
        for (var column = 0; column < headers.Count; column++)
            body.Append($"<th scope=\"col\"{classes[column]}>{Markup.Escape(headers[column])}</th>");
        body.Append("</tr></thead><tbody>\n");
        foreach (var row in rows)
        {
            body.Append("<tr>");
            for (var column = 0; column < row.Count; column++)
                body.Append(column == 0
                    ? $"<th scope=\"row\">{Markup.Escape(row[column])}</th>"
                    : $"<td{classes[column]}>{Markup.Escape(row[column])}</td>");
            body.Append("</tr>\n");
        }
        return Add($"</tbody></table></div></figure>");
    }

    /// <summary>Adds a table of results: the columns that a reader needs first, which fit a page's width, and all of them folded below.</summary>
    public HtmlReport Table(string caption, ResultTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var first = table.First();
        if (first.Headers.Count == table.Headers.Count) return Table(caption, table.Headers, table.Rows);
        Table(caption, first.Headers, first.Rows);
        Add($"<details><summary>All columns</summary>");
        return Table(caption, table.Headers, table.Rows).Add($"</details>");
    }

    /// <summary>Adds a plot, its description below it.</summary>
    public HtmlReport Plot(SvgPlot plot)
    {
        ArgumentNullException.ThrowIfNull(plot);
        var caption = plot.Description.Length == 0 ? "" : $"<figcaption>{Markup.Escape(plot.Description)}</figcaption>";
        Add($"<figure><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{Markup.Escape(plot.Title)}\">");
        return Add($"{plot.ToSvg()}</div>{caption}</figure>");
    }

    /// <summary>Adds pictures side by side, such as the frames of a clip.</summary>
    public HtmlReport Images(string caption, IReadOnlyList<ReportImage> images)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (images.Any(image => !image.DataUri.StartsWith("data:image/", StringComparison.Ordinal)))
            throw new ArgumentException("a picture of a report must be a data URI, since the page loads nothing", nameof(images));

        var escaped = Markup.Escape(caption);
        Add($"<figure><div class=\"frames\" tabindex=\"0\" role=\"region\" aria-label=\"{escaped}\">");
        foreach (var image in images)
            Add($"<img src=\"{Markup.Escape(image.DataUri)}\" alt=\"{Markup.Escape(image.Description)}\">");
        return Add($"</div><figcaption>{escaped}</figcaption></figure>");
    }

    /// <summary>The whole page.</summary>
    public string ToHtml()
    {
        var escaped = Markup.Escape(title);
        return $"{Head}\n<title>{escaped}</title>\n<style>\n{Style}\n</style>\n</head>\n<body>\n<main>\n<h1>{escaped}</h1>\n{body}</main>\n</body>\n</html>\n";
    }

    /// <summary>Writes the page to a file.</summary>
    public void Write(string path)
    {
        try
        {
            File.WriteAllText(path, ToHtml());
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be written: {TextForMessage.Quote(error.Message)}", error);
        }
    }

    private static bool LooksNumeric(string cell) => cell.Length == 0 || cell[0] is (>= '0' and <= '9') or '-' or '–' or '+' or '.';

    private HtmlReport Add(FormattableString markup)
    {
        body.Append(Units.Format(markup)).Append('\n');
        return this;
    }
}
