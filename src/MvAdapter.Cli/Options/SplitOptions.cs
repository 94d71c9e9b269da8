using System.CommandLine;
using MvAdapter.Datasets;

namespace MvAdapter.Cli;

/// <summary>The options that say which split of which dataset is evaluated.</summary>
internal sealed class SplitOptions
{
    private readonly Option<string> dataset = new("--dataset") { Description = $"One of {string.Join(", ", DatasetSource.All.Select(source => source.Name))}", DefaultValueFactory = _ => "captions" };
    private readonly Option<string?> annotations = new("--annotations") { Description = "The folder of the annotation files, or the caption file", HelpName = "PATH" };
    private readonly Option<string?> captions = new("--captions") { Description = "A CSV, TSV or JSONL of video, caption[, start, end, split]: short for --dataset captions --annotations FILE", HelpName = "FILE" };
    private readonly Option<string?> videos = new("--videos") { Description = "The folder of the videos (by default that of the annotations)", HelpName = "DIR" };
    private readonly Option<string> split = new("--split") { Description = "train, val or test", DefaultValueFactory = _ => "test" };
    private readonly Option<bool> strict = new("--strict") { Description = "Refuse a dataset with missing videos" };

    /// <summary>Adds the options to a command.</summary>
    public SplitOptions(Command command)
    {
        foreach (var option in new Option[] { dataset, annotations, captions, videos, split, strict }) command.Add(option);
    }

    /// <summary>Whether a dataset is named without its annotations.</summary>
    public bool LacksAnnotations(ParseResult parsed) => parsed.GetResult(dataset) is { Implicit: false } && parsed.GetValue(captions) is null && parsed.GetValue(annotations) is null;

    /// <summary>The split; null when no annotations are named.</summary>
    public Dataset? TryLoad(ParseResult parsed)
    {
        var captionFile = parsed.GetValue(captions);
        if ((captionFile ?? parsed.GetValue(annotations)) is not { } path) return null;
        return DatasetSource.Load(captionFile is null ? parsed.GetValue(dataset)! : "captions", new DatasetOptions
        {
            Annotations = path,
            Videos = parsed.GetValue(videos),
            Split = SplitNames.Parse(parsed.GetValue(split)!),
            Strict = parsed.GetValue(strict),
        });
    }
}
