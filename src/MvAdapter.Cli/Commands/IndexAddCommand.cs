using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index add</c>: new and changed videos are cut into clips, encoded and kept.</summary>
internal static class IndexAddCommand
{
    public static Command Create()
    {
        var command = new Command("add", """
            Adds videos to an index. What is unchanged since the last time is not touched; a moved file is found again by its content.
            Stop it when you like and run it again: every finished video is kept.

            Examples:
              ./run index add ~/videos --clip hf:openai/clip-vit-base-patch16 --adapter adapter.safetensors
              ./run index add lecture.mp4 --scenes --tag lectures --index lectures.db
            """);
        var paths = new Argument<string[]>("paths") { Description = "Video files, and folders of them at any depth; a folder of nothing but JPEG or PNG pictures is a video", Arity = ArgumentArity.OneOrMore };
        // What is no option is taken for a path, and walking the other paths first would take its time.
        paths.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => token.Value.StartsWith('-') && !Path.Exists(token.Value)) is { } token)
                result.AddError($"unknown option '{token.Value}'; did you mean {NearestName.Of(token.Value, command.Options.Select(option => option.Name))}?");
        });
        command.Add(paths);
        var location = new IndexLocation(command);
        var seconds = new Option<double?>("--clip-seconds") { Description = "Length of a clip, with --scenes the most; 0 for whole videos (by default as before, else 10)", HelpName = "S" };
        var overlap = new Option<double?>("--overlap") { Description = "By how much clips overlap (by default as before, else 0)", HelpName = "S" };
        var scenes = new Option<bool>("--scenes") { Description = "Let clips end where the picture changes at once; decodes every video twice" };
        var tags = new Option<string[]>("--tag") { Description = "A word to filter by; may be repeated", HelpName = "WORD" };
        var workers = new Option<int?>("--workers") { Description = "Decoders at once (by default one a core)", HelpName = "N" };
        var retry = new Option<bool>("--retry") { Description = "Try again what could not be encoded before" };
        var pictures = PicturesOption();
        var json = new Option<bool>("--json") { Description = "Print what was done as JSON" };
        foreach (var option in new Option[] { pictures, seconds, overlap, scenes, tags, workers, retry, json }) command.Add(option);
        var model = new CollectionOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            ClipSplitting? Splitting(ClipSplitting basis) => Change(basis, parsed.GetValue(seconds), parsed.GetValue(overlap), parsed.GetValue(scenes));
            var first = Splitting(new ClipSplitting());
            var closed = new List<string>();
            var files = VideoFiles.Find(parsed.GetValue(paths)!, closed.Add, parsed.GetValue(pictures));
            if (files.Count == 0)
                throw new MvAdapterException(closed.Count > 0 ? $"the folder {TextForMessage.Quote(closed[0])} cannot be read, and no other has videos"
                    : $"there are no videos in {string.Join(", ", parsed.GetValue(paths)!.Select(path => TextForMessage.Quote(path)))}");
            using var store = location.Open(parsed, StoreAccess.Create);
            var (collection, encoder) = model.Load(parsed, store, first ?? new ClipSplitting(), cancellation);
            using (encoder)
            {
                var indexer = new Indexer(store, collection, encoder, new IndexOptions
                {
                    Splitting = Splitting(ClipSplitting.Parse(collection.Model.Splitting)),
                    Tags = parsed.GetValue(tags) ?? [],
                    RetryBad = parsed.GetValue(retry),
                    Decoders = parsed.GetValue(workers),
                });
                var code = Run(indexer, store.Name, files, parsed.GetValue(json), cancellation);
                IndexBuildCommand.RunWhereDue(store, collection, cancellation);
                foreach (var folder in closed) Terminal.Warn($"the folder {TextForMessage.Quote(folder)} cannot be read");
                return closed.Count > 0 ? ExitCode.Partial : code;
            }
        });
        return command;
    }

    /// <summary>The option that takes pictures as well as videos.</summary>
    public static Option<bool> PicturesOption() => new("--pictures") { Description = "Take JPEG and PNG pictures too, each by itself, so that photos and films are searched together" };

    // The collection's way with what was asked for changed; null when nothing was.
    private static ClipSplitting? Change(ClipSplitting basis, double? seconds, double? overlap, bool scenes)
    {
        if (seconds is null && overlap is null && !scenes) return null;
        if (seconds == 0 && (scenes || overlap > 0)) throw new UsageException("--clip-seconds 0 takes whole videos: leave out --scenes and --overlap");
        if (seconds == 0) return ClipSplitting.Whole;
        var splitting = basis with { Seconds = seconds ?? basis.Seconds, Overlap = overlap ?? basis.Overlap, Scenes = scenes || basis.Scenes };
        splitting.CheckOverlap();
        return splitting;
    }

    private static int Run(Indexer indexer, string name, IReadOnlyList<string> files, bool json, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var outcomes = new List<IndexOutcome>(files.Count);
        var clips = 0L;
        using (var progress = Terminal.Begin("videos", files.Count))
        {
            indexer.Index(files, outcome =>
            {
                outcomes.Add(outcome);
                clips += outcome.Clips;
                progress.Report(outcomes.Count, string.Create(CultureInfo.InvariantCulture, $"{clips / clock.Elapsed.TotalSeconds:0.0} clips/s"));
            }, cancellation);
        }
        int Count(IndexAction action) => outcomes.Count(outcome => outcome.Action == action && (outcome.Problem is null || outcome.Clips > 0 || action == IndexAction.Unchanged));
        var bad = outcomes.Where(outcome => outcome.Problem is not null).ToList();
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                index = name,
                added = Count(IndexAction.Added),
                changed = Count(IndexAction.Changed),
                moved = Count(IndexAction.Moved),
                unchanged = Count(IndexAction.Unchanged),
                clips,
                skipped = bad.Select(outcome => new { video = outcome.Path, reason = outcome.Problem }),
                seconds = Math.Round(clock.Elapsed.TotalSeconds, 3),
            }));
        }
        else
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{TextForMessage.Quote(name)}: {Count(IndexAction.Added)} videos added, {Count(IndexAction.Changed)} changed, {Count(IndexAction.Moved)} moved, {Count(IndexAction.Unchanged)} unchanged, {bad.Count} skipped; {clips} clips encoded, {clips / clock.Elapsed.TotalSeconds:0.0} a second"));
        }
        foreach (var outcome in bad) Terminal.Warn($"skipped {outcome.Problem}");
        return bad.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }
}
