namespace MvAdapter.Evaluation;

/// <summary>A tick's value and its place on the axis, from 0 to 1.</summary>
internal readonly record struct Tick(double Value, double Place);

/// <summary>
/// Maps values to places from 0 to 1 and chooses round ticks. A logarithmic axis gives zero a place of its own at the left
/// end, since a method that trains nothing belongs into the picture.
/// </summary>
internal sealed class PlotAxis
{
    private const double ZeroPlace = 0.05;
    private const double FirstPlaceAfterZero = 0.16;
    private readonly bool isLogarithmic;
    private readonly double low;
    private readonly double high;

    private PlotAxis(bool isLogarithmic, bool hasZero, double low, double high)
    {
        (this.isLogarithmic, HasZero, this.low, this.high) = (isLogarithmic, hasZero, low, high);
        var ticks = isLogarithmic ? LogarithmicTicks() : LinearTicks();
        Ticks = [.. (hasZero ? ticks.Prepend(0) : ticks).Select(value => new Tick(value, PlaceOf(value)))];
    }

    public IReadOnlyList<Tick> Ticks { get; }

    /// <summary>Whether the axis is logarithmic and shows zero, left of a break.</summary>
    public bool HasZero { get; }

    private double Start => HasZero ? FirstPlaceAfterZero : 0;

    public static PlotAxis Linear(IEnumerable<double> values)
    {
        var (low, high) = Range(values);
        var isFlat = high - low <= 1e-12 * Math.Abs(high);
        // A tenth of zero is zero, and so is a tenth of the least number above it.
        var margin = !isFlat ? (high - low) * 0.04 : Math.Abs(high) * 0.1 is > 0 and var tenth ? tenth : 1;
        return new PlotAxis(false, false, low - margin, high + margin);
    }

    public static PlotAxis Logarithmic(IEnumerable<double> values)
    {
        var all = values.ToList();
        var (low, high) = Range(all.Where(value => value > 0).Select(Math.Log10));
        var margin = Math.Max((high - low) * 0.06, 0.1);
        return new PlotAxis(true, all.Exists(value => value <= 0), low - margin, high + margin);
    }

    public double PlaceOf(double value)
    {
        if (isLogarithmic && value <= 0) return ZeroPlace;
        var position = isLogarithmic ? Math.Log10(value) : value;
        return Start + ((1 - Start) * (position - low) / (high - low));
    }

    private static (double Low, double High) Range(IEnumerable<double> values)
    {
        var all = values.ToList();
        return all.Count == 0 ? (0, 1) : (all.Min(), all.Max());
    }

    /// <summary>About five multiples of 1, 2 or 5 times a power of ten.</summary>
    private IEnumerable<double> LinearTicks()
    {
        var rough = (high - low) / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * ((rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 });
        var first = Math.Ceiling(low / step);
        for (var tick = 0; tick < 12 && (first + tick) * step <= high; tick++)
            yield return (first + tick) * step;
    }

    /// <summary>Powers of ten, with their doubles and fives where the range is short, thinned where it is long.</summary>
    private IEnumerable<double> LogarithmicTicks()
    {
        double[] factors = (high - low) switch { < 1.6 => [1, 2, 5], < 2.6 => [1, 3], _ => [1] };
        var stride = Math.Max(1, (int)Math.Ceiling((high - low) / 8));
        for (var exponent = (int)Math.Floor(low); exponent <= high; exponent += stride)
            foreach (var factor in factors)
                if (Math.Log10(factor) + exponent is var place && place >= low && place <= high)
                    yield return factor * Math.Pow(10, exponent);
    }
}
