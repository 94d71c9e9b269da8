using MvAdapter.Datasets.Shapes;

namespace MvAdapter.Datasets;

/// <summary>A picture in memory, rows of R, G, B, and its caption.</summary>
public sealed record StillPicture(int Width, int Height, byte[] Pixels, string Caption);

/// <summary>
/// Still pictures of the shapes of <see cref="MovingShapes"/>, with captions such as "a small red circle on the left":
/// what a small CLIP learns colours, shapes, sizes and places from, and nothing of time.
/// </summary>
public static class StillShapes
{
    private const ulong Stream = 0x5354494C4C; // "STILL"

    private static readonly string[,] Places =
    {
        { "at the top left", "at the top", "at the top right" },
        { "on the left", "in the middle", "on the right" },
        { "at the bottom left", "at the bottom", "at the bottom right" },
    };

    /// <summary>Endless square pictures; a seed always gives the same ones.</summary>
    /// <param name="side">The pictures' width and height in pixels.</param>
    /// <param name="seed">Which pictures.</param>
    /// <param name="level">Plain, or with texture and other shapes.</param>
    public static IEnumerable<StillPicture> Generate(int side, ulong seed, ShapeLevel level = ShapeLevel.Easy)
    {
        if (side is < 16 or > 4096) throw new UsageException($"pictures of {side} pixels: choose 16 to 4096");
        return Pictures(side, seed, level);
    }

    private static IEnumerable<StillPicture> Pictures(int side, ulong seed, ShapeLevel level)
    {
        for (var i = 0; ; i = unchecked(i + 1)) yield return Draw(SeededRandom.For(seed, Stream, i), side, level);
    }

    private static StillPicture Draw(SeededRandom random, int side, ShapeLevel level)
    {
        var shape = random.Pick(Appearance.All);
        var canvas = Backdrop.Make(random, level, shape, side, side);
        var radius = shape.Size.Radius * side * random.Between(0.95, 1.05);
        var (column, row) = (random.Next(3), random.Next(3));
        var reach = side / 2.0 - radius * shape.Outline.Extent - 1;
        // Near the edge, or near the middle: places between the two would have two names.
        double Place(int cell) => side / 2.0 + reach * ((cell - 1) * random.Between(0.7, 1) + (cell == 1 ? random.Between(-0.2, 0.2) : 0));
        canvas.Draw(shape.Outline, shape.Colour, new Pose(Place(column), Place(row), radius));
        return new StillPicture(side, side, canvas.Pixels, $"{shape} {Places[row, column]}");
    }
}
