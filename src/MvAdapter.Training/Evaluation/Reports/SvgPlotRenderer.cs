using System.Text;

namespace MvAdapter.Evaluation;

/// <summary>Draws one <see cref="SvgPlot"/>: legend, axes, series and their names, from the top down.</summary>
internal sealed class SvgPlotRenderer
{
    private const double Width = 680;
    private const double PlotHeight = 300;
    private const double Left = 62;
    private const double FontSize = 13;
    private const double LineHeight = 18;
    private const double CharacterWidth = 0.59 * FontSize;
    private const int MostPoints = 800;
    private const int MostMarkers = 12;

    /// <summary>Beyond this a value is an accident that would flatten everything else.</summary>
    private const double LargestValue = 1e100;

    private const string Style =
        ".mv-plot{font:13px system-ui,sans-serif}" +
        ".mv-plot text{fill:#1f2328}.mv-plot .muted{fill:#59636e}.mv-plot .title{font-weight:600;font-size:15px}" +
        ".mv-plot .paper{fill:#fff}.mv-plot .grid{stroke:#d8dee4}.mv-plot .axis{stroke:#818b98;fill:none}" +
        ".mv-plot .series{color:#1f2328}.mv-plot .halo{stroke:#fff;stroke-width:1.2}" +
        "@media(prefers-color-scheme:dark){" +
        ".mv-plot text{fill:#e6e8eb}.mv-plot .muted{fill:#9aa4af}.mv-plot .paper{fill:#161b22}.mv-plot .grid{stroke:#2d343d}" +
        ".mv-plot .axis{stroke:#768390}.mv-plot .series{color:#e6e8eb}.mv-plot .halo{stroke:#161b22}}";

    /// <summary>Okabe and Ito's colours, the most legible first; the last is the text's own.</summary>
    private static readonly string?[] Colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", null];

    private static readonly string[] Dashes = ["", "8 4", "2 3", "9 3 2 3", "15 4", "5 2 2 2 2 2", "1 4"];

    private static readonly string[] Markers =
    [
        "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0Z", // circle
        "M-4.2-4.2h8.4v8.4h-8.4Z", // square
        "M0-5.4L5 3.8H-5Z", // triangle
        "M0-5.8L5.8 0L0 5.8L-5.8 0Z", // diamond
        "M0 5.4L5-3.8H-5Z", // triangle on its tip
        "M-1.7-5.2h3.4v3.5h3.5v3.4h-3.5v3.5h-3.4v-3.5h-3.5v-3.4h3.5Z", // plus
        "M-5.2-3L-3-5.2L0-2.2L3-5.2L5.2-3L2.2 0L5.2 3L3 5.2L0 2.2L-3 5.2L-5.2 3L-2.2 0Z", // saltire
    ];

    private readonly StringBuilder svg = new();
    private readonly SvgPlot plot;
    private readonly List<List<PlotPoint>> points;
    private readonly PlotAxis x;
    private readonly PlotAxis y;
    private readonly double right;
    private readonly double top;

    public SvgPlotRenderer(SvgPlot plot)
    {
        this.plot = plot;
        points = [.. plot.Series.Select(series => series.Points.Where(IsDrawable).OrderBy(point => point.X).ToList())];
        var all = points.SelectMany(series => series).ToList();
        x = plot.LogarithmicX ? PlotAxis.Logarithmic(all.Select(point => point.X)) : PlotAxis.Linear(all.Select(point => point.X));
        y = PlotAxis.Linear(all.Select(point => point.Y));
        var namesBeside = plot.Kind == PlotKind.Lines && plot.Series.Count > 1;
        right = namesBeside ? Width - 30 - Math.Min(160, plot.Series.Max(series => TextWidth(series.Name))) : Width - 16;
        top = 34 + (LineHeight * Legend().Select(entry => entry.Row + 1).DefaultIfEmpty(0).Max()) + 10;
    }

    /// <summary>A legend entry shows a piece of the line, or the marker alone.</summary>
    private double SwatchWidth => plot.Kind == PlotKind.Lines ? 34 : 12;

    private double Bottom => top + PlotHeight;

    public string Render()
    {
        var height = Bottom + 48;
        Add($"<svg class=\"mv-plot\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\">");
        Add($"<title>{Markup.Escape(plot.Title)}</title><desc>{Markup.Escape(plot.Description)}</desc><style>{Style}</style>");
        Add($"<rect class=\"paper\" width=\"{Width}\" height=\"{height}\"/>");
        AddText(12, 22, Fit(plot.Title, (Width - 24) / 1.2), "title");
        foreach (var (series, row, left) in Legend()) AddLegendEntry(series, left, 44 + (row * LineHeight));
        AddAxes();
        if (points.TrueForAll(series => series.Count == 0)) AddText((Left + right) / 2, top + (PlotHeight / 2), "no data", "muted", "middle");
        for (var series = 0; series < points.Count; series++) AddSeries(series);
        AddNames();
        return svg.Append("</svg>").ToString();
    }

    private static bool IsDrawable(PlotPoint point) => Math.Abs(point.X) < LargestValue && Math.Abs(point.Y) < LargestValue;

    private double XOf(double value) => Left + (x.PlaceOf(value) * (right - Left));

    private double YOf(double value) => Bottom - (y.PlaceOf(value) * PlotHeight);

    private void AddAxes()
    {
        foreach (var (value, place) in y.Ticks)
        {
            var height = Bottom - (place * PlotHeight);
            Add($"<path class=\"grid\" d=\"M{Left} {height:0.#}H{right:0.#}\"/>");
            AddText(Left - 8, height + 4.5, Units.Short(value), "muted", "end");
        }
        foreach (var (value, place) in x.Ticks)
        {
            var left = Left + (place * (right - Left));
            Add($"<path class=\"axis\" d=\"M{left:0.#} {Bottom}v5\"/>");
            AddText(left, Bottom + 19, Units.Short(value), "muted", "middle");
        }
        Add($"<path class=\"axis\" d=\"M{Left} {Bottom}H{right:0.#}\"/>");
        if (x.HasZero)
        {
            var gap = Left + (0.105 * (right - Left));
            Add($"<path class=\"paper\" d=\"M{gap - 3:0.#} {Bottom - 2}h6v4h-6Z\"/>");
            Add($"<path class=\"axis\" d=\"M{gap - 6:0.#} {Bottom + 5}l6-10M{gap:0.#} {Bottom + 5}l6-10\"/>");
        }
        AddText((Left + right) / 2, Bottom + 40, Fit(plot.XLabel, right - Left), "label", "middle");
        Add($"<g transform=\"translate(15 {top + (PlotHeight / 2):0.#}) rotate(-90)\">");
        AddText(0, 0, Fit(plot.YLabel, PlotHeight), "label", "middle");
        svg.Append("</g>");
    }

    /// <summary>Each entry's row and left end, filling rows from the left; a single series needs no legend.</summary>
    private IEnumerable<(int Series, int Row, double Left)> Legend()
    {
        if (plot.Series.Count < 2) yield break;
        var (row, left) = (0, 12.0);
        for (var series = 0; series < plot.Series.Count; series++)
        {
            var width = SwatchWidth + 24 + TextWidth(Fit(plot.Series[series].Name, Width / 2));
            if (left > 12 && left + width > Width) (row, left) = (row + 1, 12);
            yield return (series, row, left);
            left += width;
        }
    }

    private void AddLegendEntry(int series, double left, double middle)
    {
        OpenSeries(series);
        if (plot.Kind == PlotKind.Lines) AddLine(series, Units.Format($"M{left:0.#} {middle:0.#}h{SwatchWidth}"));
        AddMarker(series, left + (SwatchWidth / 2), middle, plot.Series[series].Name);
        svg.Append("</g>");
        AddText(left + SwatchWidth + 6, middle + 4.5, Fit(plot.Series[series].Name, Width / 2));
    }

    private void AddSeries(int series)
    {
        OpenSeries(series);
        var drawn = points[series];
        if (plot.Kind == PlotKind.Lines && drawn.Count > 0)
            AddLine(series, "M" + string.Join('L', Thin(drawn).Select(point => Units.Format($"{XOf(point.X):0.#} {YOf(point.Y):0.#}"))));

        var stride = plot.Kind == PlotKind.Scatter ? 1 : Math.Max(1, (drawn.Count - 1) / (MostMarkers - 1));
        for (var i = 0; i < drawn.Count; i += stride)
        {
            var (pointX, pointY) = drawn[i];
            AddMarker(series, XOf(pointX), YOf(pointY),
                $"{plot.Series[series].Name}: {Units.Short(pointX)}, {Units.Format($"{pointY:0.####}")}");
        }
        svg.Append("</g>");
    }

    /// <summary>The lowest and highest of each stretch of a long curve: its outline stays, its size does not.</summary>
    private static IEnumerable<PlotPoint> Thin(List<PlotPoint> curve) => curve.Count <= MostPoints
        ? curve
        : curve.Chunk((2 * curve.Count / MostPoints) + 1)
            .SelectMany(chunk => new[] { chunk.MinBy(point => point.Y), chunk.MaxBy(point => point.Y) }.OrderBy(point => point.X));

    private void AddNames()
    {
        var named = Enumerable.Range(0, points.Count).Where(series => points[series].Count > 0).ToList();
        if (plot.Kind == PlotKind.Scatter) AddNamesBesidePoints(named);
        else if (plot.Series.Count > 1) AddNamesAtEnds(named);
    }

    /// <summary>At the right ends of the curves, spread where they would overlap; the legend names those without room.</summary>
    private void AddNamesAtEnds(List<int> named)
    {
        const double spacing = LineHeight * 0.85;
        var ends = named.Take((int)(PlotHeight / spacing))
            .Select(series => (Series: series, Y: YOf(points[series][^1].Y))).OrderBy(end => end.Y).ToList();
        var lowest = Bottom + 4;
        for (var i = ends.Count - 1; i >= 0; i--)
        {
            var highestOfRest = top + 4 + (i * spacing);
            var height = Math.Max(Math.Min(ends[i].Y, lowest), highestOfRest);
            var series = ends[i].Series;
            OpenSeries(series);
            AddMarker(series, right + 12, height, plot.Series[series].Name);
            svg.Append("</g>");
            AddText(right + 22, height + 4.5, Fit(plot.Series[series].Name, Width - right - 22));
            lowest = height - spacing;
        }
    }

    /// <summary>Beside a point of the series, at the first side that is free; the legend names those without room.</summary>
    private void AddNamesBesidePoints(List<int> named)
    {
        var taken = points.SelectMany(series => series)
            .Select(point => new Box(XOf(point.X) - 6, YOf(point.Y) - 6, 12, 12)).ToList();
        foreach (var series in named)
        {
            var name = Fit(plot.Series[series].Name, 200);
            var width = TextWidth(name);
            var (pointX, pointY) = (XOf(points[series][0].X), YOf(points[series][0].Y));
            (Box Box, double AnchorX, string Anchor)[] sides =
            [
                (new(pointX + 9, pointY - 8, width, 16), pointX + 9, "start"),
                (new(pointX - 9 - width, pointY - 8, width, 16), pointX - 9, "end"),
                (new(pointX - (width / 2), pointY - 24, width, 16), pointX, "middle"),
                (new(pointX - (width / 2), pointY + 8, width, 16), pointX, "middle"),
            ];
            foreach (var (box, anchorX, anchor) in sides)
            {
                if (box.Left < Left || box.Left + width > Width || box.Top < top || box.Top + 16 > Bottom) continue;
                if (taken.Exists(box.Overlaps)) continue;
                AddText(anchorX, box.Top + 12.5, name, anchor: anchor);
                taken.Add(box);
                break;
            }
        }
    }

    private void OpenSeries(int series)
    {
        var color = Colors[series % Colors.Length];
        // A style attribute, since a class would win over the presentation attribute.
        svg.Append(color is null ? "<g class=\"series\">" : $"<g style=\"color:{color}\">");
    }

    // When the colours begin anew, the shapes are shifted by one, so that no two series look alike.
    private static int Shape(int series) => series + (series / Colors.Length);

    private void AddLine(int series, string path)
    {
        var dash = Dashes[Shape(series) % Dashes.Length];
        var dashes = dash.Length == 0 ? "" : $" stroke-dasharray=\"{dash}\"";
        svg.Append($"<path fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-linejoin=\"round\"{dashes} d=\"{path}\"/>");
    }

    private void AddMarker(int series, double left, double height, string tip)
    {
        Add($"<path class=\"halo\" fill=\"currentColor\" transform=\"translate({left:0.#} {height:0.#})\"");
        Add($" d=\"{Markers[Shape(series) % Markers.Length]}\"><title>{Markup.Escape(tip)}</title></path>");
    }

    private void AddText(double left, double baseline, string text, string kind = "label", string anchor = "start") =>
        Add($"<text x=\"{left:0.#}\" y=\"{baseline:0.#}\" class=\"{kind}\" text-anchor=\"{anchor}\">{Markup.Escape(text)}</text>");

    private void Add(FormattableString markup) => svg.Append(Units.Format(markup));

    /// <summary>An estimate, since the reader's font is not known here.</summary>
    private static double TextWidth(string text) => text.Length * CharacterWidth;

    private static string Fit(string text, double width)
    {
        var most = Math.Max(1, (int)(width / CharacterWidth));
        return text.Length <= most ? text : text[..(most - 1)] + "…";
    }

    private readonly record struct Box(double Left, double Top, double Width, double Height)
    {
        public bool Overlaps(Box other) =>
            Left < other.Left + other.Width && other.Left < Left + Width &&
            Top < other.Top + other.Height && other.Top < Top + Height;
    }
}
