namespace MvAdapter.Datasets.Shapes;

/// <summary>What the words of a still picture's caption tell apart.</summary>
internal enum SceneAttribute
{
    Size,
    Colour,
    Outline,
    Horizontal,
    Vertical,
}

/// <summary>What a still picture shows: a shape, and the cell of a grid of five by five that its centre lies in.</summary>
internal sealed record Scene(Appearance Shape, int Column, int Row)
{
    private static readonly string[] Columns = ["on the far left", "on the left", "", "on the right", "on the far right"];
    private static readonly string[] Rows = ["up at the top", "near the top", "", "near the bottom", "down at the bottom"];

    /// <summary>Cells along a side.</summary>
    public static int Grid => Columns.Length;

    /// <summary>
    /// The sizes of the videos and one more at either end, for what a shape shrinks to and grows to. Neighbours meet
    /// halfway, so that every radius has a name.
    /// </summary>
    public static IReadOnlyList<Size> Sizes { get; } =
        [new("tiny", Appearance.Sizes[0].Radius / Trajectory.Growth), .. Appearance.Sizes, new("huge", Appearance.Sizes[^1].Radius * Trajectory.Growth)];

    /// <summary>Every scene, in a fixed order.</summary>
    public static IEnumerable<Scene> All =>
        from size in Sizes
        from shape in Appearance.All.Where(shape => shape.Size == Appearance.Sizes[0])
        from column in Enumerable.Range(0, Grid)
        from row in Enumerable.Range(0, Grid)
        select new Scene(shape with { Size = size }, column, row);

    /// <summary>For example "a small red circle near the top on the far left".</summary>
    public string Caption => Describe("");

    /// <summary>The caption with a verb, as captions of photographs have them though a photograph stands still.</summary>
    public string Describe(string verb)
    {
        var place = $"{Rows[Row]} {Columns[Column]}".Trim();
        return $"{Shape}{(verb.Length > 0 ? " " : "")}{verb} {(place.Length > 0 ? place : "in the middle")}";
    }

    /// <summary>The scenes that differ in that attribute at most, in a fixed order.</summary>
    public IEnumerable<Scene> Alternatives(SceneAttribute attribute) => attribute switch
    {
        SceneAttribute.Size => Sizes.Select(size => this with { Shape = Shape with { Size = size } }),
        SceneAttribute.Colour => Appearance.Colours.Select(colour => this with { Shape = Shape with { Colour = colour } }),
        SceneAttribute.Outline => Shapes.Outline.All.Select(outline => this with { Shape = Shape with { Outline = outline } }),
        SceneAttribute.Horizontal => Enumerable.Range(0, Grid).Select(column => this with { Column = column }),
        _ => Enumerable.Range(0, Grid).Select(row => this with { Row = row }),
    };
}
