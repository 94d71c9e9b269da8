using System.CommandLine;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>The options that say which frames are taken of a video.</summary>
internal sealed class SamplingOptions
{
    private static readonly FrameSampling Usual = new();
    private readonly Option<int?> frames;
    private readonly Option<string?> strategy;
    private readonly Option<string?> fps;
    private readonly Option<string?> rule;
    private readonly Option<double?> rate;

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="before">What goes before the usual values where an option is not given, in words.</param>
    public SamplingOptions(Command command, string before = "")
    {
        frames = new("--frames") { Description = $"Most frames of a video (by default {before}{Usual.MaxFrames})", HelpName = "N" };
        strategy = new("--sampling") { Description = $"Which frames are taken: uniform, floor, head, tail or symmetric (by default {before}uniform)", HelpName = "NAME" };
        fps = new("--fps") { Description = $"Candidate frames per second, or all (by default {before}1)", HelpName = "N|all" };
        rule = new("--frame-rule") { Description = $"Candidates counted as the published extraction does (int(rate) frames a second), or by time (by default {before}published)", HelpName = "published|time" };
        rate = new("--frame-rate") { Description = "Pictures per second of folders of pictures that stand for videos (by default 1)", HelpName = "N" };
        foreach (var option in All) command.Add(option);
    }

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> All => [frames, strategy, fps, rule, rate];

    /// <summary>The most frames of a video; null when it was not given.</summary>
    public int? Frames(ParseResult parsed) => parsed.GetValue(frames) is not { } count ? null
        : count < 1 ? throw new UsageException("--frames must be at least 1")
        : (Usual with { MaxFrames = count }).MaxFrames;

    /// <summary>Which frames are taken; null when it was not given.</summary>
    public FrameStrategy? Strategy(ParseResult parsed) =>
        parsed.GetValue(strategy) is { } name ? FrameSampling.ParseStrategy(name) : null;

    /// <summary>Candidates per second; null when they were not given.</summary>
    public double? FramesPerSecond(ParseResult parsed) =>
        parsed.GetValue(fps) is { } rate ? (Usual with { FramesPerSecond = FrameSampling.ParseRate(rate) }).FramesPerSecond : null;

    /// <summary>What candidates are counted by; null when it was not given.</summary>
    public FrameRule? Rule(ParseResult parsed) => parsed.GetValue(rule) is { } name ? FrameSampling.ParseRule(name) : null;

    /// <summary>The rate of extracted pictures; null when it was not given.</summary>
    public double? PictureRate(ParseResult parsed) => parsed.GetValue(rate) is { } value ? (Usual with { PictureRate = value }).PictureRate : null;

    /// <summary>All of them, where nothing else decides what was not given.</summary>
    public FrameSampling Sampling(ParseResult parsed) => new()
    {
        Strategy = Strategy(parsed) ?? Usual.Strategy,
        MaxFrames = Frames(parsed) ?? Usual.MaxFrames,
        FramesPerSecond = FramesPerSecond(parsed) ?? Usual.FramesPerSecond,
        Rule = Rule(parsed) ?? Usual.Rule,
        PictureRate = PictureRate(parsed) ?? Usual.PictureRate,
    };
}
