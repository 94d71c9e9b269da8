using System.Globalization;

namespace MvAdapter.Search;

/// <summary>
/// How a video is cut into clips. Its text form, such as <c>window seconds=10 overlap=0</c>, <c>scenes seconds=10</c> or
/// <c>whole</c>, is kept with each video, so that asking for another cut encodes it again.
/// </summary>
public sealed record ClipSplitting
{
    /// <summary>The whole video as one clip.</summary>
    public static ClipSplitting Whole { get; } = new() { Seconds = double.PositiveInfinity };

    private readonly double seconds = 10;
    private readonly double overlap;

    /// <summary>Length of a clip; with <see cref="Scenes"/> the most; infinite for the whole video.</summary>
    public double Seconds
    {
        get => seconds;
        init => seconds = value >= MinSeconds ? value
            : throw new UsageException($"a clip must last at least {MinSeconds} s, not {Text(value)}");
    }

    /// <summary>By how much a clip begins before the end of the one before it.</summary>
    public double Overlap
    {
        get => overlap;
        init => overlap = value >= 0 && double.IsFinite(value) ? value
            : throw new UsageException($"clips overlap by 0 s or more, not {Text(value)}");
    }

    /// <summary>Whether clips end where the picture changes at once, as at a cut.</summary>
    public bool Scenes { get; init; }

    /// <summary>The shortest clip worth a vector of its own.</summary>
    internal const double MinSeconds = 0.5;

    /// <summary>The distance from one clip's start to the next one's.</summary>
    internal double Step => Seconds - Overlap;

    /// <summary>Refuses clips that would hardly go forward.</summary>
    /// <exception cref="UsageException">The overlap leaves too little.</exception>
    public void CheckOverlap()
    {
        if (Step >= MinSeconds) return;
        throw new UsageException($"clips of {Text(Seconds)} s cannot overlap by {Text(Overlap)} s: at least {MinSeconds} s must be new");
    }

    /// <summary>Reads what <see cref="ToString"/> writes.</summary>
    public static ClipSplitting Parse(string text)
    {
        var words = text.Split(' ');
        var splitting = words[0] switch
        {
            "whole" => Whole,
            "window" => new ClipSplitting(),
            "scenes" => new ClipSplitting { Scenes = true },
            _ => throw Unknown(text),
        };
        foreach (var word in words[1..])
        {
            splitting = word.Split('=') switch
            {
                ["seconds", var value] => splitting with { Seconds = Number(value, text) },
                ["overlap", var value] => splitting with { Overlap = Number(value, text) },
                _ => throw Unknown(text),
            };
        }
        splitting.CheckOverlap();
        return splitting;
    }

    /// <summary>The text form that <see cref="Parse"/> reads.</summary>
    public override string ToString() =>
        !double.IsFinite(Seconds) && !Scenes ? "whole"
        : $"{(Scenes ? "scenes" : "window")} seconds={Text(Seconds)} overlap={Text(Overlap)}";

    private static double Number(string value, string text) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw Unknown(text);

    private static MvAdapterException Unknown(string text) =>
        new($"\"{TextForMessage.Quote(text, 80)}\" is no way to cut videos; the index is damaged or was made by a newer version");

    private static string Text(double value) => value.ToString("R", CultureInfo.InvariantCulture);
}
