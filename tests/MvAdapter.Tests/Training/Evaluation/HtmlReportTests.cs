using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Evaluation;

public sealed class HtmlReportTests
{
    private const string Hostile = "</title></style><script>alert('1')</script>\" onload=\"x&amp;\u0001\uFFFE";
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

    private static SvgPlot Plot(PlotKind kind, bool logarithmic, params PlotSeries[] series) => new()
    {
        Title = Hostile,
        Description = Hostile,
        XLabel = Hostile,
        YLabel = Hostile,
        Kind = kind,
        LogarithmicX = logarithmic,
        Series = series,
    };

    private static IEnumerable<string> Texts(XElement svg) => svg.Descendants(Svg + "text").Select(text => text.Value);

    [Fact]
    public void Foreign_text_stays_text()
    {
        var html = new HtmlReport(Hostile)
            .Heading(Hostile)
            .Paragraph(Hostile)
            .Table(Hostile, [Hostile, Hostile], [[Hostile, Hostile]])
            .Plot(Plot(PlotKind.Lines, false, new PlotSeries(Hostile, [new(0, 1)]), new PlotSeries(Hostile, [new(1, 2)])))
            .Images(Hostile, [new ReportImage("data:image/png;base64,\" onerror=\"x", Hostile)])
            .ToHtml();
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("\" on", html, StringComparison.Ordinal);
        Assert.DoesNotContain('\u0001', html);
        Assert.Contains("&lt;script&gt;alert(&#39;1&#39;)", html, StringComparison.Ordinal);
        // HTML leaves images open; with those closed the body is XML only if every quote and element is.
        var body = html[html.IndexOf("<main>", StringComparison.Ordinal)..html.IndexOf("</body>", StringComparison.Ordinal)];
        Assert.Equal("h1", XElement.Parse(Regex.Replace(body, "<img ([^>]*)>", "<img $1/>")).Elements().First().Name);
    }

    [Fact]
    public void A_page_loads_nothing()
    {
        var html = new HtmlReport("t").Plot(Plot(PlotKind.Scatter, true, new PlotSeries("a", [new(1, 1)]))).ToHtml();
        Assert.Contains("default-src 'none'", html, StringComparison.Ordinal);
        Assert.DoesNotContain("http", html.Replace(Svg.NamespaceName, "", StringComparison.Ordinal).Replace("http-equiv", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new HtmlReport("t").Images("x", [new ReportImage("https://example.org/x.png", "")]));
    }

    [Fact]
    public void Tables_name_their_rows_and_columns_and_set_numbers_right()
    {
        var html = new HtmlReport("t").Table("c", ["Method", "R@1", "Found"], [["a", "1.5 ± 0.1", "video7"], ["b", "–", "3"]]).ToHtml();
        Assert.Contains("<th scope=\"col\">Method</th><th scope=\"col\" class=\"number\">R@1</th><th scope=\"col\">Found</th>", html, StringComparison.Ordinal);
        Assert.Contains("<th scope=\"row\">a</th><td class=\"number\">1.5 &#177; 0.1</td><td>video7</td>", html, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new HtmlReport("t").Table("c", ["a"], [["1", "2"]]));
    }

    [Fact]
    public void Any_points_make_a_picture_within_its_frame() =>
        Prop.ForAll(
            (from kind in Gen.Elements(PlotKind.Lines, PlotKind.Scatter)
             from logarithmic in Gen.Elements(true, false)
             from series in (from name in ArbMap.Default.GeneratorFor<string>()
                             from points in (from x in ArbMap.Default.GeneratorFor<double>()
                                             from y in ArbMap.Default.GeneratorFor<double>()
                                             select new PlotPoint(x, y)).ListOf()
                             select new PlotSeries(name ?? "", points)).ListOf()
             select Plot(kind, logarithmic, [.. series])).ToArbitrary(),
            plot =>
            {
                var svg = XElement.Parse(plot.ToSvg());
                Assert.Equal("img", svg.Attribute("role")!.Value);
                Assert.Equal(Svg + "title", svg.Elements().First().Name);
                Assert.DoesNotContain("NaN", svg.ToString(), StringComparison.Ordinal);
                Assert.DoesNotContain("Infinity", svg.ToString(), StringComparison.Ordinal);
                var size = svg.Attribute("viewBox")!.Value.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToList();
                foreach (var place in svg.Descendants().Select(element => element.Attribute("transform")?.Value).OfType<string>()
                    .Select(transform => transform[10..transform.IndexOf(')', StringComparison.Ordinal)].Split(' ')))
                {
                    Assert.InRange(double.Parse(place[0], CultureInfo.InvariantCulture), 0, size[2]);
                    Assert.InRange(double.Parse(place[1], CultureInfo.InvariantCulture), 0, size[3]);
                }
            }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(0)]
    [InlineData(double.Epsilon)]
    [InlineData(-1e-310)]
    public void One_point_has_a_place_however_small_it_is(double value) =>
        Assert.InRange(PlotAxis.Linear([value]).PlaceOf(value), 0.4, 0.6);

    [Fact]
    public void An_empty_plot_says_so() =>
        Assert.Contains("no data", Texts(XElement.Parse(Plot(PlotKind.Lines, false, new PlotSeries("a", [new(double.NaN, 1)])).ToSvg())));

    [Fact]
    public void A_logarithmic_axis_has_a_place_for_zero()
    {
        var axis = PlotAxis.Logarithmic([0, 1e6, 1e8]);
        Assert.True(axis.HasZero);
        Assert.Equal([0, 1e6, 3e6, 1e7, 3e7, 1e8], axis.Ticks.Select(tick => Math.Round(tick.Value)));
        Assert.True(axis.Ticks.Zip(axis.Ticks.Skip(1)).All(pair => pair.First.Place < pair.Second.Place));
        Assert.Equal(axis.PlaceOf(1e7) - axis.PlaceOf(1e6), axis.PlaceOf(1e8) - axis.PlaceOf(1e7), 1e-12);
    }

    [Theory]
    [InlineData(0, 1, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [InlineData(-30, 45, new double[] { -20, 0, 20, 40 })]
    [InlineData(5, 5, new[] { 4.6, 4.8, 5, 5.2, 5.4 })]
    [InlineData(0, 0, new[] { -1, -0.5, 0, 0.5, 1 })]
    public void Ticks_are_round(double low, double high, double[] ticks) =>
        Assert.Equal(ticks, PlotAxis.Linear([low, high]).Ticks.Select(tick => Math.Round(tick.Value, 9)));

    [Fact]
    public void A_long_curve_keeps_its_extremes_and_loses_its_weight()
    {
        var points = Enumerable.Range(0, 100_000).Select(i => new PlotPoint(i, i == 54_321 ? 100 : Math.Sin(i))).ToList();
        var svg = Plot(PlotKind.Lines, false, new PlotSeries("loss", points)).ToSvg();
        Assert.InRange(svg.Length, 1000, 40_000);
        var path = XElement.Parse(svg).Descendants(Svg + "path").Single(path => path.Attribute("stroke") is not null).Attribute("d")!.Value;
        // The single high point is drawn at the top of the plot, 4 % of the range below its edge.
        var heights = path[1..].Split('L').Select(point => double.Parse(point.Split(' ')[1], CultureInfo.InvariantCulture)).ToList();
        Assert.Single(heights, height => height < heights.Max() - 200);
    }

    [Fact]
    public void Every_series_is_named_in_the_legend_and_beside_its_points()
    {
        PlotSeries[] series = [new("alpha", [new(1, 1), new(2, 2)]), new("beta", [new(1, 5), new(2, 4)])];
        foreach (var kind in new[] { PlotKind.Lines, PlotKind.Scatter })
        {
            var texts = Texts(XElement.Parse(Plot(kind, false, series).ToSvg())).ToList();
            Assert.Equal(2, texts.Count(text => text == "alpha"));
            Assert.Equal(2, texts.Count(text => text == "beta"));
        }
    }

    [Fact]
    public void A_page_is_written_or_its_path_named()
    {
        using var folder = new TemporaryFolder();
        new HtmlReport("Größe").Write(folder.File("report.html"));
        Assert.Contains("<h1>Gr&#246;&#223;e</h1>", File.ReadAllText(folder.File("report.html")), StringComparison.Ordinal);
        Assert.Throws<InvalidFileException>(() => new HtmlReport("t").Write(folder.Path));
    }
}
