using System.Globalization;

namespace MvAdapter.Video;

/// <summary>Which of the candidate frames are kept when there are more than the model takes.</summary>
public enum FrameStrategy
{
    /// <summary>n evenly spaced indices from the first to the last, truncated: the paper's evaluation.</summary>
    Uniform,

    /// <summary>floor(i * n / max): the published training code.</summary>
    Floor,

    /// <summary>The first ones.</summary>
    Head,

    /// <summary>The last ones.</summary>
    Tail,

    /// <summary>floor((i + 0.5) * n / max): the middle of each of max equal pieces.</summary>
    Symmetric,
}

/// <summary>What the candidates of a video are counted by; it decides where the video's rate is no whole number.</summary>
public enum FrameRule
{
    /// <summary>
    /// As the published extraction (CLIP4Clip's) counts: a second has int(rate) frames, and one a second is frame
    /// s * int(rate) with s = 0, 1, 2, ... while there is such a frame: at 29.97 frames a second every 29th. More than
    /// one a second are int(rate) / fps frames apart within each. Where that names no frame (int(rate) is 0) and where
    /// the sampling's own rate is no whole number, it is the rule by time.
    /// </summary>
    Published,

    /// <summary>By time: frame round(s * rate), the one that shows at s seconds.</summary>
    Time,
}

/// <summary>
/// How frames are taken from a video: candidates at a steady rate, then at most <see cref="MaxFrames"/> of them.
/// Its text form, such as <c>uniform max_frames=12 fps=1 rule=published</c>, goes into index metadata.
/// </summary>
public sealed record FrameSampling
{
    /// <summary>The rate at which every frame of the video is a candidate (<c>fps=all</c> in text).</summary>
    public const double AllFrames = double.PositiveInfinity;

    /// <summary>The largest <see cref="MaxFrames"/>; keeps the memory of one clip bounded.</summary>
    public const int MaxFramesLimit = 1024;

    private readonly int maxFrames = 12;
    private readonly double framesPerSecond = 1;
    private readonly FrameStrategy strategy = FrameStrategy.Uniform;
    private readonly FrameRule rule = FrameRule.Published;
    private readonly double pictureRate = 1;

    /// <summary>Which candidates are kept.</summary>
    public FrameStrategy Strategy
    {
        get => strategy;
        init => strategy = Enum.IsDefined(value)
            ? value
            : throw new UsageException($"frame sampling: there is no strategy number {(int)value}");
    }

    /// <summary>Candidates per second: 1 as in the paper, 4 for short actions, 0.5 for one every two seconds.</summary>
    public double FramesPerSecond
    {
        get => framesPerSecond;
        init => framesPerSecond = value > 0
            ? value
            : throw new UsageException($"frame sampling: fps must be greater than 0 or \"all\", not {RateText(value)}");
    }

    /// <summary>What the candidates are counted by.</summary>
    public FrameRule Rule
    {
        get => rule;
        init => rule = Enum.IsDefined(value)
            ? value
            : throw new UsageException($"frame sampling: there is no rule number {(int)value}");
    }

    /// <summary>Pictures per second of a folder of pictures: the rate at which they were extracted from their video.</summary>
    public double PictureRate
    {
        get => pictureRate;
        init => pictureRate = value > 0 && double.IsFinite(value)
            ? value
            : throw new UsageException($"frame sampling: the rate of extracted pictures must be greater than 0, not {RateText(value)}");
    }

    /// <summary>The most frames of one clip that the model sees.</summary>
    public int MaxFrames
    {
        get => maxFrames;
        init => maxFrames = value is >= 1 and <= MaxFramesLimit
            ? value
            : throw new UsageException($"frame sampling: max_frames must be from 1 to {MaxFramesLimit}, not {value}");
    }

    /// <summary>The strategy of a name as configurations write it (<c>uniform</c>, <c>floor</c>, ...).</summary>
    public static FrameStrategy ParseStrategy(string name) => ParseName<FrameStrategy>("strategy", name);

    /// <summary>The rule of a name as configurations write it (<c>published</c>, <c>time</c>).</summary>
    public static FrameRule ParseRule(string name) => ParseName<FrameRule>("rule", name);

    /// <summary>Reads candidates per second: a number, or <c>all</c>.</summary>
    public static double ParseRate(string text) =>
        text == "all" ? AllFrames
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var rate) ? rate
        : throw new UsageException($"frame sampling: fps is a number or \"all\", not \"{TextForMessage.Quote(text, 40)}\"");

    /// <summary>The name of a strategy in configurations.</summary>
    public static string Name(FrameStrategy strategy) => strategy.ToString().ToLowerInvariant();

    /// <summary>The name of a rule in configurations.</summary>
    public static string Name(FrameRule rule) => rule.ToString().ToLowerInvariant();

    /// <summary>
    /// Reads what <see cref="ToString"/> writes. Settings that are left out keep their defaults, but for the rule: a text
    /// without one was written when all went by time, and means that still.
    /// </summary>
    public static FrameSampling Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length == 0) throw new UsageException("frame sampling: empty text; write for example \"uniform max_frames=12 fps=1\"");
        var sampling = new FrameSampling { Strategy = ParseStrategy(words[0]), Rule = FrameRule.Time };
        foreach (var word in words[1..])
        {
            sampling = word.Split('=', 2) switch
            {
                ["max_frames", var value] when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var frames)
                    => sampling with { MaxFrames = frames },
                ["fps", var value] => sampling with { FramesPerSecond = ParseRate(value) },
                ["rule", var value] => sampling with { Rule = ParseRule(value) },
                ["picture_rate", var value] => sampling with { PictureRate = ParseRate(value) },
                _ => throw new UsageException(
                    $"frame sampling: \"{TextForMessage.Quote(word, 40)}\" is not max_frames=NUMBER, fps=NUMBER, fps=all or rule=NAME"),
            };
        }
        return sampling;
    }

    /// <summary>The text form that <see cref="Parse"/> reads.</summary>
    public override string ToString() => $"{WithoutRule} rule={Name(Rule)}{PictureRateText}";

    /// <summary>Whether seconds are counted as the published extraction counts them, which knows whole rates alone.</summary>
    internal bool CountsAsPublished => Rule == FrameRule.Published && double.IsInteger(FramesPerSecond);

    /// <summary>
    /// What names the pictures in a cache: the text form, in which the rule by time goes unnamed, so that what was
    /// cached before there was another is still found.
    /// </summary>
    internal string CacheKey => CountsAsPublished ? ToString() : WithoutRule + PictureRateText;

    private string WithoutRule => string.Create(CultureInfo.InvariantCulture, $"{Name(Strategy)} max_frames={MaxFrames} fps={RateText(FramesPerSecond)}");

    // Where it is not the usual one: so that texts of before there was any are what they were.
    private string PictureRateText => PictureRate == 1 ? "" : $" picture_rate={RateText(PictureRate)}";

    private static T ParseName<T>(string what, string name)
        where T : struct, Enum
    {
        string[] known = [.. Enum.GetNames<T>().Select(value => value.ToLowerInvariant())];
        var place = Array.IndexOf(known, name);
        return place >= 0 ? Enum.GetValues<T>()[place]
            : throw new UsageException($"frame sampling: unknown {what} \"{TextForMessage.Quote(name, 40)}\"; known are {string.Join(", ", known)}");
    }

    /// <summary>What <see cref="ParseRate"/> reads.</summary>
    public static string RateText(double rate) =>
        double.IsPositiveInfinity(rate) ? "all" : rate.ToString("R", CultureInfo.InvariantCulture);
}
