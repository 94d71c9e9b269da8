namespace MvAdapter.Datasets;

/// <summary>All that decides what the files of a MovingShapes dataset hold.</summary>
public sealed record MovingShapesSettings
{
    /// <summary>Training videos.</summary>
    public int Videos { get; init; } = 2000;

    /// <summary>Test pairs, each a video and its reversal.</summary>
    public int TestPairs { get; init; } = 100;

    /// <summary>Validation pairs.</summary>
    public int ValPairs { get; init; } = 50;

    /// <summary>Which videos.</summary>
    public ulong Seed { get; init; }

    /// <summary>How hard they are.</summary>
    public ShapeLevel Level { get; init; } = ShapeLevel.Easy;
}
