using MvAdapter.Training;

namespace MvAdapter.Datasets.Shapes;

/// <summary>What a shape stands before: a plain colour, or texture with other shapes that stand still.</summary>
internal static class Backdrop
{
    // In RGB; below this a yellow shape fades into a light background, a blue one into a dark one.
    private const double LeastContrast = 130;
    private const double Texture = 22;

    public static Canvas Make(SeededRandom random, ShapeLevel level, Appearance shape, int width, int height)
    {
        var canvas = new Canvas(width, height);
        var ground = Ground(random, shape.Colour);
        if (level == ShapeLevel.Easy) Fill(canvas, (_, _) => ground);
        else
        {
            var pattern = Pattern(random, Math.Min(width, height));
            Fill(canvas, (x, y) => Shade(ground, Texture * pattern(x, y)));
            DrawDistractors(canvas, random, shape);
        }
        return canvas;
    }

    /// <summary>A dark or a light colour, hardly saturated, that the shape stands out from.</summary>
    private static Colour Ground(SeededRandom random, Colour shape)
    {
        while (true)
        {
            var light = random.Next(2) == 1 ? random.Between(175, 225) : random.Between(25, 75);
            byte Channel() => (byte)(light + random.Between(-22, 22));
            var ground = new Colour("", Channel(), Channel(), Channel());
            if (ground.DistanceTo(shape) >= LeastContrast) return ground;
        }
    }

    /// <summary>Waves, a chequerboard, or a gradient, between -1 and 1.</summary>
    private static Func<int, int, double> Pattern(SeededRandom random, int side)
    {
        var kind = random.Next(3);
        var (sin, cos) = Math.SinCos(random.Between(0, Math.PI));
        var (period, phase) = (side * random.Between(0.12, 0.3), random.Between(0, 2 * Math.PI));
        return kind switch
        {
            0 => (x, y) => Math.Sin((x * cos + y * sin) / period * 2 * Math.PI + phase),
            1 => (x, y) => ((int)((x + phase) / period) + (int)((y + phase) / period)) % 2 == 0 ? 1 : -1,
            _ => (x, y) => Math.Clamp((x * cos + y * sin) / side, -1, 1),
        };
    }

    private static void DrawDistractors(Canvas canvas, SeededRandom random, Appearance shape)
    {
        // Other colours and other outlines: the caption's noun phrase fits the moving shape alone.
        var others = Appearance.All
            .Where(other => other.Colour != shape.Colour && other.Outline != shape.Outline && other.Size.Name != "large").ToList();
        var side = Math.Min(canvas.Width, canvas.Height);
        for (var count = 2 + random.Next(2); count > 0; count--)
        {
            var other = random.Pick(others);
            var place = new Pose(random.Between(0.1, 0.9) * canvas.Width, random.Between(0.1, 0.9) * canvas.Height, other.Size.Radius * side);
            canvas.Draw(other.Outline, other.Colour, place);
        }
    }

    private static void Fill(Canvas canvas, Func<int, int, Colour> colour)
    {
        for (var y = 0; y < canvas.Height; y++)
            for (var x = 0; x < canvas.Width; x++) canvas.Set(x, y, colour(x, y));
    }

    private static Colour Shade(Colour colour, double by)
    {
        byte Channel(byte value) => (byte)Math.Clamp(value + by, 0, 255);
        return new Colour("", Channel(colour.R), Channel(colour.G), Channel(colour.B));
    }
}
