namespace MvAdapter.Adapters;

/// <summary>Refuses settings that no model can have.</summary>
internal static class Setting
{
    private const int WidestLayer = 1 << 14;

    /// <summary>The condition must hold.</summary>
    /// <exception cref="MvAdapterException">It does not; the line says why.</exception>
    public static void Require(bool holds, string why)
    {
        if (!holds) throw new MvAdapterException($"the method's settings do not fit: {why}");
    }

    /// <summary>The value must lie within a range, both ends included.</summary>
    public static void RequireWithin(string name, int value, int least, int most) =>
        Require(value >= least && value <= most, $"{name} ({value}) must lie within {least} to {most}");

    /// <summary>The value must be a layer's width; the limit keeps damaged settings from asking for all memory.</summary>
    public static void RequireWidth(string name, int value) => RequireWithin(name, value, 1, WidestLayer);

    /// <summary>The value must be a probability of dropping.</summary>
    public static void RequireDropout(double value) => Require(value is >= 0 and < 1, "dropout must be at least 0 and less than 1");
}
