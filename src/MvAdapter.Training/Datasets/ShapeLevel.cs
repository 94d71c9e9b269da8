namespace MvAdapter.Datasets;

/// <summary>How hard it is to make out the shape that the caption is about.</summary>
public enum ShapeLevel
{
    /// <summary>One shape before a plain background.</summary>
    Easy,
    /// <summary>Before a texture, among shapes of other colours and outlines that stand still.</summary>
    Hard,
}
