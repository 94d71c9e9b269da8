using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>search</c>: words or a video in, the moments that fit best out.</summary>
internal static class SearchCommand
{
    public static Command Create()
    {
        var command = new Command("search", """
            Finds moments in indexed videos.

            Examples:
              ./run search "a dog catches a ball"
              ./run search "a dog catches a ball" --folder ~/videos/park --after 2024-06-01 -k 3 --cut found/
              ./run search --video query.mp4                       clips like this one
              ./run search --video query.mp4 --captions list.txt   captions that fit it
            """);
        var words = new Argument<string?>("words") { Description = "What to look for", Arity = ArgumentArity.ZeroOrOne };
        command.Add(words);
        var location = new IndexLocation(command);
        var video = new Option<string?>("--video") { Description = "Look for clips like this video", HelpName = "FILE" };
        var captions = new Option<string?>("--captions") { Description = "With --video: rank the captions of a file, one a line or a .json array, instead of clips", HelpName = "FILE" };
        var count = new Option<int>("--count", "-k") { Description = "Most results", DefaultValueFactory = _ => 10, HelpName = "N" };
        var json = new Option<bool>("--json") { Description = "Print a JSON array" };
        var folder = new Option<string?>("--folder") { Description = "Only videos below this folder", HelpName = "DIR" };
        var least = new Option<double?>("--min-seconds") { Description = "Only videos of at least this length", HelpName = "S" };
        var most = new Option<double?>("--max-seconds") { Description = "Only videos of at most this length", HelpName = "S" };
        var after = new Option<string?>("--after") { Description = "Only files changed on this day (UTC) or later", HelpName = "YYYY-MM-DD" };
        var before = new Option<string?>("--before") { Description = "Only files changed before this day (UTC)", HelpName = "YYYY-MM-DD" };
        var tag = new Option<string?>("--tag") { Description = "Only videos with this tag", HelpName = "WORD" };
        var cut = new Option<string?>("--cut") { Description = "Write the found clips into this folder", HelpName = "DIR" };
        var thumbnails = new Option<string?>("--thumbnails") { Description = "Write a picture of each found clip into this folder", HelpName = "DIR" };
        foreach (var option in new Option[] { video, captions, count, json, folder, least, most, after, before, tag, cut, thumbnails }) command.Add(option);
        var all = new Option<bool>("--all-clips") { Description = "All clips that fit, several of a video too (by default each video's best)" };
        command.Add(all);
        var exact = new Option<bool>("--exact") { Description = "Look at every clip, also where the index is large enough for an approximate one" };
        command.Add(exact);
        var model = new CollectionOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            var (query, like, list) = (parsed.GetValue(words), parsed.GetValue(video), parsed.GetValue(captions));
            if ((query is null) == (like is null)) throw new UsageException("say what to look for: words, or --video FILE, one of the two");
            if (list is not null && like is null) throw new UsageException("--captions ranks captions for a video: give --video FILE too");
            if (query is not null && string.IsNullOrWhiteSpace(query)) throw new UsageException("the words to look for are empty");
            if (parsed.GetValue(count) is < 1 or > ClipStore.MostResults) throw new UsageException($"--count must be from 1 to {ClipStore.MostResults}");
            foreach (var target in new[] { parsed.GetValue(cut), parsed.GetValue(thumbnails) })
            {
                if (target is not null && list is not null) throw new UsageException("--cut and --thumbnails write found clips, and --captions finds none");
                if (File.Exists(target)) throw new UsageException($"{TextForMessage.Quote(target)} is a file; give a folder");
            }
            var filter = new ClipFilter
            {
                Folder = parsed.GetValue(folder),
                MinSeconds = parsed.GetValue(least),
                MaxSeconds = parsed.GetValue(most),
                After = ClipFilter.ParseTime(parsed.GetValue(after)),
                Before = ClipFilter.ParseTime(parsed.GetValue(before)),
                Tag = parsed.GetValue(tag),
            };
            var texts = list is null ? [] : InputList.Read(list);
            if (list is not null && texts.Count == 0) throw new InvalidFileException(list, "holds no caption");
            using var store = location.Open(parsed, StoreAccess.Read);
            var (collection, encoder) = model.Load(parsed, store, null, cancellation);
            using (encoder)
            {
                var searcher = new Searcher(store, collection, encoder) { OnePerVideo = !parsed.GetValue(all), Exact = parsed.GetValue(exact) };
                if (list is not null)
                {
                    Print(searcher.Captions(new VideoClip(like!), texts, parsed.GetValue(count), cancellation), parsed.GetValue(json));
                    return ExitCode.Success;
                }
                var found = query is not null
                    ? searcher.ByText(query, parsed.GetValue(count), filter, cancellation)
                    : searcher.ByVideo(new VideoClip(like!), parsed.GetValue(count), filter, cancellation);
                Print(found, parsed.GetValue(json));
                if (found.IsApproximate) Terminal.Say("found by the approximate index; --exact looks at every clip");
                if (found.Missing.Count > 0) Terminal.Warn($"this answer is partial, without the clips of what does not answer: {string.Join(", ", found.Missing.Select(name => TextForMessage.Quote(name)))}");
                WarnOfChanges(store, collection, found, parsed.GetValue(cut) ?? parsed.GetValue(thumbnails));
                return Export(found, parsed.GetValue(cut), parsed.GetValue(thumbnails), cancellation);
            }
        });
        return command;
    }

    private static void Print(IReadOnlyList<ClipMatch> found, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(found.Select(match => new
            {
                // The API's names.
                clip = match.Clip.Id,
                score = match.Score,
                file = Path.GetFileName(match.Clip.Path),
                path = match.Clip.Path,
                start = match.Clip.Span.Start,
                end = match.Clip.Span.End,
            })));
            return;
        }
        foreach (var match in found)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{match.Score,6:0.000}  {Time(match.Clip.Span.Start)}-{Time(match.Clip.Span.End)}  {TextForMessage.Quote(match.Clip.Path)}"));
        if (found.Count == 0) Terminal.Say("no clip was found: the index is empty, or no video passes the filter");
    }

    private static void Print(IReadOnlyList<CaptionMatch> found, bool json)
    {
        if (json) Console.WriteLine(JsonSerializer.Serialize(found.Select(match => new { score = match.Score, index = match.Index, caption = match.Caption })));
        else foreach (var match in found) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{match.Score,6:0.000}  {TextForMessage.Quote(match.Caption)}"));
    }

    private static void WarnOfChanges(ClipStore store, ClipCollection collection, IReadOnlyList<ClipMatch> found, string? folder)
    {
        if (folder is null) return;
        foreach (var path in found.Select(match => match.Clip.Path).Distinct(StringComparer.Ordinal))
            if (File.Exists(path) && store.FindVideo(collection, path) is { } video && new FileInfo(path).Length != video.Entry.Size)
                Terminal.Warn($"{TextForMessage.Quote(path)} has changed since it was indexed, so its clips may show something else; index add it again");
    }

    // Files are numbered by rank, so that they sort as the table does.
    private static int Export(IReadOnlyList<ClipMatch> found, string? cut, string? thumbnails, CancellationToken cancellation)
    {
        var exporter = new ClipExporter();
        var code = ExitCode.Success;
        foreach (var (folder, ending, write) in new (string?, string, Action<IndexedClip, string>)[]
        {
            (cut, ".mp4", (clip, path) => exporter.Cut(clip.Open(), path, cancellation)),
            (thumbnails, ".jpg", (clip, path) => exporter.Thumbnail(clip.Open(), path, cancellation)),
        })
        {
            if (folder is null) continue;
            Directory.CreateDirectory(folder);
            for (var i = 0; i < found.Count; i++)
            {
                var clip = found[i].Clip;
                var name = string.Create(CultureInfo.InvariantCulture, $"{i + 1:00}_{Path.GetFileNameWithoutExtension(clip.Path)}_{Time(clip.Span.Start).Replace(':', '.')}{ending}");
                try
                {
                    write(clip, Path.Combine(folder, name));
                }
                catch (VideoException e)
                {
                    Terminal.Warn($"skipped {e.Message}");
                    code = ExitCode.Partial;
                }
            }
        }
        return code;
    }

    private static string Time(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Round(seconds));
        return time.TotalHours >= 1 ? time.ToString(@"h\:mm\:ss", CultureInfo.InvariantCulture) : time.ToString(@"mm\:ss", CultureInfo.InvariantCulture);
    }
}
