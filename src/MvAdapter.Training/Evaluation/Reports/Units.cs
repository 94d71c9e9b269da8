namespace MvAdapter.Evaluation;

/// <summary>Quantities as people read them, the same on every machine.</summary>
public static class Units
{
    private static readonly string[] BytePrefixes = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

    /// <summary>Decimal units, as disks and downloads are sold: 13.99 MB.</summary>
    public static string Bytes(double bytes)
    {
        var prefix = 0;
        for (; Math.Abs(bytes) >= 999.5 && prefix < BytePrefixes.Length - 1; prefix++) bytes /= 1000;
        return prefix == 0 ? Format($"{bytes:0} B") : Format($"{Significant(bytes)} {BytePrefixes[prefix]}");
    }

    /// <summary>A whole number with thousands separated: 3,496,704.</summary>
    public static string Count(double count) => Format($"{count:N0}");

    /// <summary>A short number for an axis: 250, 3.5k, 150M.</summary>
    public static string Short(double value) => Math.Abs(value) switch
    {
        >= 1e9 => Format($"{value / 1e9:0.##}G"),
        >= 1e6 => Format($"{value / 1e6:0.##}M"),
        >= 1e4 => Format($"{value / 1e3:0.##}k"),
        >= 1e-3 or 0 => Format($"{value:0.######}"),
        _ => Format($"{value:0.##e0}"),
    };

    /// <summary>A duration by its two largest units: 4.2 s, 3 min 20 s, 1 h 05 min, 2 d 03 h.</summary>
    public static string Duration(double seconds)
    {
        if (seconds < 59.95) return Format($"{seconds:0.0} s");
        var whole = (decimal)Math.Round(Math.Min(seconds, 1e15));
        return whole switch
        {
            < 3600 => Format($"{Math.Floor(whole / 60):0} min {whole % 60:00} s"),
            < 86400 => Format($"{Math.Floor(whole / 3600):0} h {Math.Floor(whole % 3600 / 60):00} min"),
            _ => Format($"{Math.Floor(whole / 86400):0} d {Math.Floor(whole % 86400 / 3600):00} h"),
        };
    }

    /// <summary>A duration that may be short, in three digits: 0.412 ms, 35.1 ms, 1.25 s; above ten seconds as <see cref="Duration"/>.</summary>
    public static string Latency(double seconds) =>
        seconds >= 9.995 ? Duration(seconds)
        : seconds >= 0.9995 ? $"{Significant(seconds)} s"
        : seconds >= 0.0009995 ? $"{Significant(1e3 * seconds)} ms"
        : Format($"{1e3 * seconds:0.000} ms");

    /// <summary>Formats without regard to the machine's language.</summary>
    public static string Format(FormattableString text) => FormattableString.Invariant(text);

    private static string Significant(double value) => Math.Abs(value) switch
    {
        >= 99.95 => Format($"{value:0}"),
        >= 9.995 => Format($"{value:0.0}"),
        _ => Format($"{value:0.00}"),
    };
}
