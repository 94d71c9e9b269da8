using MvAdapter.Datasets.Shapes;
using MvAdapter.Training;

namespace MvAdapter.Datasets;

/// <summary>A square picture in memory, and its caption.</summary>
public sealed class StillPicture
{
    internal StillPicture(int side, byte[] pixels, string caption, Scene scene) =>
        (Side, Pixels, Caption, Scene) = (side, pixels, caption, scene);

    /// <summary>Width and height.</summary>
    public int Side { get; }

    /// <summary>Rows of R, G, B.</summary>
    public byte[] Pixels { get; }

    /// <summary>For example "a small red circle near the top on the left".</summary>
    public string Caption { get; }

    /// <summary>What the caption is about.</summary>
    internal Scene Scene { get; }
}

/// <summary>
/// Still pictures of the shapes of <see cref="MovingShapes"/>, with captions such as "a small red circle near the top
/// on the left": what a small CLIP learns colours, shapes, sizes and places from, and nothing of time.
/// </summary>
public static class StillShapes
{
    private const ulong Stream = 0x5354494C4C; // "STILL"
    private const ulong RunStream = 0x52554E; // "RUN"

    // Some captions have a verb, as captions of photographs do, which says nothing about the picture: so the verbs of
    // the videos' captions are words that the text tower has met.
    private const double VerbShare = 0.125;
    private static readonly string[] Verbs = ["moves", "grows", "shrinks"];

    // A wide video is cropped to its middle, where a shape may be cut by the edge.
    private const double Margin = 0.02;

    /// <summary>Endless square pictures; a seed always gives the same ones.</summary>
    /// <param name="side">The pictures' width and height in pixels.</param>
    /// <param name="seed">Which pictures.</param>
    /// <param name="level">Plain, or with texture and other shapes.</param>
    /// <param name="run">
    /// So many pictures in succession are alike: the same shape at different places, then, in the next run, sizes and
    /// outlines of the same colour at the same place, and so on in turn.
    /// </param>
    public static IEnumerable<StillPicture> Generate(int side, ulong seed, ShapeLevel level = ShapeLevel.Easy, int run = 1)
    {
        if (side is < 16 or > 4096) throw new UsageException($"pictures of {side} pixels: choose 16 to 4096");
        ArgumentOutOfRangeException.ThrowIfLessThan(run, 1);
        return Pictures(side, seed, level, run);
    }

    private static IEnumerable<StillPicture> Pictures(int side, ulong seed, ShapeLevel level, int run)
    {
        for (var i = 0; ; i = unchecked(i + 1))
        {
            var common = Choice.Of(SeededRandom.For(seed, RunStream, i / run));
            var random = SeededRandom.For(seed, Stream, i);
            var own = Choice.Of(random);
            yield return Draw(random, side, level, i / run % 2 == 0
                ? common with { Column = own.Column, Row = own.Row }
                : common with { Size = own.Size, Outline = own.Outline });
        }
    }

    private static StillPicture Draw(SeededRandom random, int side, ShapeLevel level, Choice choice)
    {
        var scene = new Scene(new Appearance(Scene.Sizes[choice.Size], choice.Colour, choice.Outline), choice.Column, choice.Row);
        var shape = scene.Shape;
        var canvas = Backdrop.Make(random, level, shape, side, side);
        var pose = new Pose(Place(random, scene.Column) * side, Place(random, scene.Row) * side, Radius(random, choice.Size) * side);
        canvas.Draw(shape.Outline, shape.Colour, pose);
        var verb = random.NextDouble() < VerbShare ? random.Pick(Verbs) : "";
        return new StillPicture(side, canvas.Pixels, scene.Describe(verb), scene);
    }

    // Anywhere in the cell: the cells together leave out no place that a video's shape passes.
    private static double Place(SeededRandom random, int cell) => Margin + (1 - 2 * Margin) * (cell + random.NextDouble()) / Scene.Grid;

    private static double Radius(SeededRandom random, int size)
    {
        var sizes = Scene.Sizes;
        var radius = sizes[size].Radius;
        var low = size > 0 ? Math.Sqrt(sizes[size - 1].Radius * radius) : radius * 0.93;
        var high = size < sizes.Count - 1 ? Math.Sqrt(sizes[size + 1].Radius * radius) : radius * 1.07;
        return low * Math.Pow(high / low, random.NextDouble());
    }

    private readonly record struct Choice(int Size, Colour Colour, Outline Outline, int Column, int Row)
    {
        public static Choice Of(SeededRandom random) => new(
            random.Next(Scene.Sizes.Count), random.Pick(Appearance.Colours), random.Pick(Outline.All), random.Next(Scene.Grid), random.Next(Scene.Grid));
    }
}
