using System.Globalization;
using System.Text;

namespace MvAdapter.Server;

/// <summary>How often values lay below each of some bounds, as Prometheus counts them.</summary>
internal sealed class Histogram(params double[] bounds)
{
    private readonly long[] counts = new long[bounds.Length + 1];
    private readonly Lock gate = new();
    private double sum;

    /// <summary>Counts a value.</summary>
    public void Observe(double value)
    {
        var place = Array.FindIndex(bounds, bound => value <= bound);
        lock (gate)
        {
            counts[place < 0 ? bounds.Length : place]++;
            sum += value;
        }
    }

    /// <summary>Writes its lines; the labels are <c>a="b"</c> or nothing.</summary>
    public void Write(StringBuilder text, string name, string labels)
    {
        lock (gate)
        {
            var (total, comma) = (0L, labels.Length > 0 ? "," : "");
            for (var i = 0; i < counts.Length; i++)
            {
                total += counts[i];
                var bound = i < bounds.Length ? bounds[i].ToString(CultureInfo.InvariantCulture) : "+Inf";
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {total}\n");
            }
            text.Append(CultureInfo.InvariantCulture, $"{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {total}\n");
        }
    }
}
