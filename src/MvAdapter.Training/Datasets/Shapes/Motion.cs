namespace MvAdapter.Datasets.Shapes;

/// <summary>What a shape does. Two of a kind stand side by side, so that the lowest bit is the direction.</summary>
internal enum Motion
{
    MovesLeft,
    MovesRight,
    MovesUp,
    MovesDown,
    Shrinks,
    Grows,
}

/// <summary>The one quantity that a motion changes.</summary>
internal enum MotionAxis
{
    Horizontal,
    Vertical,
    Size,
}

internal static class Motions
{
    private static readonly string[] Phrases = ["moves left", "moves right", "moves up", "moves down", "shrinks", "grows"];

    public static string Phrase(this Motion motion) => Phrases[(int)motion];

    public static MotionAxis Axis(this Motion motion) => (MotionAxis)((int)motion / 2);

    /// <summary>Whether the quantity rises (pixel rows rise downwards).</summary>
    public static bool IsRising(this Motion motion) => (int)motion % 2 == 1;

    /// <summary>What the motion looks like backwards.</summary>
    public static Motion Reversed(this Motion motion) => (Motion)((int)motion ^ 1);
}

/// <summary>
/// A shape and its two motions, one after the other, on different axes. (On the same axis they would either repeat or,
/// like "moves left and then moves right", read the same backwards.)
/// </summary>
internal sealed record Story(Appearance Shape, Motion First, Motion Second)
{
    /// <summary>Every story, in a fixed order.</summary>
    public static IReadOnlyList<Story> All { get; } =
        [.. from shape in Appearance.All
            from first in Enum.GetValues<Motion>()
            from second in Enum.GetValues<Motion>()
            where first.Axis() != second.Axis()
            select new Story(shape, first, second)];

    public string Caption => $"{Shape} {First.Phrase()} and then {Second.Phrase()}";

    /// <summary>What the video shows backwards: the opposite motions in the opposite order.</summary>
    public Story Reversed => new(Shape, Second.Reversed(), First.Reversed());
}
