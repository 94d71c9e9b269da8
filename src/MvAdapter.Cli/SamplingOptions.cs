using System.CommandLine;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>The options that say which frames are taken of a video.</summary>
internal sealed class SamplingOptions
{
    private const int UsualFrames = 12;

    private readonly Option<int?> frames;
    private readonly Option<string> strategy = new("--sampling") { Description = "Which frames are taken: uniform, floor, head, tail or symmetric", DefaultValueFactory = _ => "uniform" };
    private readonly Option<string> fps = new("--fps") { Description = "Candidate frames per second, or all", DefaultValueFactory = _ => "1" };

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="usualFrames">What the number of frames is when it is not given, in words.</param>
    public SamplingOptions(Command command, string usualFrames)
    {
        frames = new("--frames") { Description = $"Most frames of a video ({usualFrames})", HelpName = "N" };
        foreach (var option in new Option[] { frames, strategy, fps }) command.Add(option);
    }

    /// <summary>The most frames of a video; null when it was not given.</summary>
    public int? Frames(ParseResult parsed) => parsed.GetValue(frames) is < 1
        ? throw new UsageException("--frames must be at least 1")
        : parsed.GetValue(frames);

    /// <summary>Which frames are taken.</summary>
    public FrameSampling Sampling(ParseResult parsed) =>
        FrameSampling.Parse($"{parsed.GetValue(strategy)} max_frames={Frames(parsed) ?? UsualFrames} fps={parsed.GetValue(fps)}");
}
