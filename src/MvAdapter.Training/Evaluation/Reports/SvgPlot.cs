namespace MvAdapter.Evaluation;

/// <summary>How the points of a plot are drawn.</summary>
public enum PlotKind
{
    /// <summary>Joined by lines: learning curves.</summary>
    Lines,
    /// <summary>Markers alone: methods compared by two quantities.</summary>
    Scatter,
}

/// <summary>A point of a plot.</summary>
public readonly record struct PlotPoint(double X, double Y);

/// <summary>Points of one kind: a curve, or one method.</summary>
public sealed record PlotSeries(string Name, IReadOnlyList<PlotPoint> Points);

/// <summary>
/// A plot as a self-contained SVG picture in a reader's light or dark colours. Series differ in colour (Okabe and Ito's),
/// marker and dashes, and are named beside the points as well as in the legend, so colour is never needed to tell them
/// apart.
/// </summary>
public sealed record SvgPlot
{
    /// <summary>What the plot shows, in a line.</summary>
    public required string Title { get; init; }

    /// <summary>What can be seen in it, for those who cannot see it.</summary>
    public string Description { get; init; } = "";

    /// <summary>The quantity from left to right, with its unit.</summary>
    public required string XLabel { get; init; }

    /// <summary>The quantity from bottom to top, with its unit.</summary>
    public required string YLabel { get; init; }

    /// <summary>Lines or markers alone.</summary>
    public PlotKind Kind { get; init; }

    /// <summary>Whether equal ratios are equally wide; zero then stands left of a break in the axis.</summary>
    public bool LogarithmicX { get; init; }

    /// <summary>What is drawn. Points that are not finite numbers are left out.</summary>
    public required IReadOnlyList<PlotSeries> Series { get; init; }

    /// <summary>Draws the picture.</summary>
    public string ToSvg() => new SvgPlotRenderer(this).Render();
}
