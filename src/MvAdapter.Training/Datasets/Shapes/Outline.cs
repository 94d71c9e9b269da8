namespace MvAdapter.Datasets.Shapes;

/// <summary>The outline of a shape around the origin, by its signed distance; all look about as large as the unit circle.</summary>
internal sealed class Outline
{
    // Empty for the circle.
    private readonly (double X, double Y)[] vertices;

    private Outline(string name, params (double X, double Y)[] vertices)
    {
        (Name, this.vertices) = (name, vertices);
        Extent = vertices.Length == 0 ? 1 : vertices.Max(v => Math.Max(Math.Abs(v.X), Math.Abs(v.Y)));
    }

    public static IReadOnlyList<Outline> All { get; } =
    [
        new("circle"),
        new("square", (-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        new("triangle", Spokes(3, 1.35, 1.35)),
        new("star", Spokes(10, 1.35, 0.58)),
    ];

    public string Name { get; }

    /// <summary>How far the outline reaches from the origin along either axis.</summary>
    public double Extent { get; }

    /// <summary>The distance of a point from the outline, negative inside.</summary>
    public double Distance(double x, double y)
    {
        if (vertices.Length == 0) return Math.Sqrt(x * x + y * y) - 1;
        var nearest = double.MaxValue;
        var inside = false;
        var (fromX, fromY) = vertices[^1];
        foreach (var (toX, toY) in vertices)
        {
            var (edgeX, edgeY) = (toX - fromX, toY - fromY);
            var along = ((x - fromX) * edgeX + (y - fromY) * edgeY) / (edgeX * edgeX + edgeY * edgeY);
            along = Math.Clamp(along, 0, 1);
            var (offX, offY) = (x - fromX - along * edgeX, y - fromY - along * edgeY);
            nearest = Math.Min(nearest, offX * offX + offY * offY);
            // A ray to the right crosses this edge: an odd number of crossings means inside.
            if (fromY > y != toY > y && x < fromX + (y - fromY) / edgeY * edgeX) inside = !inside;
            (fromX, fromY) = (toX, toY);
        }
        return inside ? -Math.Sqrt(nearest) : Math.Sqrt(nearest);
    }

    /// <summary>Vertices at equal angles, the first one on top, at two radii in turn.</summary>
    private static (double X, double Y)[] Spokes(int count, double even, double odd) =>
        [.. Enumerable.Range(0, count).Select(i =>
        {
            var (sin, cos) = Math.SinCos(2 * Math.PI * i / count);
            var radius = i % 2 == 0 ? even : odd;
            return (radius * sin, -radius * cos);
        })];
}
