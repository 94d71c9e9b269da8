using System.CommandLine;
using MvAdapter.Datasets;
using MvAdapter.Files;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index captions</c>: what people said of clips, out of an index and into it.</summary>
internal static class IndexCaptionCommands
{
    private const string Standard = "-";

    public static Command Create() => new("captions", """
        Captions of clips and marks on answers, as they were given on the page.

        Examples:
          ./run index captions export captions.jsonl       pairs, as train and eval read them
          ./run index captions export backup.jsonl --all   with wrong answers, who and when
          ./run index captions import captions.csv --videos ~/videos
        """)
    {
        Export(),
        Import(),
    };

    private static Command Export()
    {
        var command = new Command("export", """
            Writes captions, and queries whose answers were marked right, as a caption file (JSONL).

            Examples:
              ./run index captions export captions.jsonl
              ./run index captions export - --all > backup.jsonl
            """);
        var file = new Argument<string>("file") { Description = "The .jsonl to write; - for the standard output" };
        command.Add(file);
        var location = new IndexLocation(command);
        var all = new Option<bool>("--all") { Description = "Wrong answers too, with who said it and when: a copy to import again" };
        command.Add(all);
        command.Runs((parsed, _) =>
        {
            var (target, whole) = (parsed.GetValue(file)!, parsed.GetValue(all));
            if (target != Standard) OutputPath.Check(target);
            using var store = location.Open(parsed, StoreAccess.Read);
            var collections = store.Collections();
            var lines = store.Annotations.All().Where(annotation => whole || annotation.IsPair)
                .Select(annotation => AnnotationLines.Write(annotation, Taught.PathOf(store, collections, annotation) ?? annotation.Path, whole)).ToList();
            if (target == Standard) foreach (var line in lines) Console.WriteLine(line);
            else
            {
                AtomicFile.WriteText(target, string.Concat(lines.Select(line => line + "\n")));
                Terminal.Say($"{TextForMessage.Quote(target)}: {lines.Count} {(whole ? "captions and marks" : "pairs")}");
            }
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Import()
    {
        var command = new Command("import", """
            Takes the captions of a caption file (JSONL, CSV or TSV with video, caption and, where a clip is meant, start and end) for videos
            that are in the index. What is there already is not made twice.

            Example:
              ./run index captions import captions.csv --videos ~/videos
            """);
        var file = new Argument<string>("file") { Description = "The caption file" };
        command.Add(file);
        var location = new IndexLocation(command);
        var videos = new Option<string?>("--videos") { Description = "The folder of the videos (by default that of the file)", HelpName = "DIR" };
        command.Add(videos);
        command.Runs((parsed, cancellation) =>
        {
            var source = parsed.GetValue(file)!;
            using var store = location.Open(parsed, StoreAccess.Write);
            var collections = store.Collections();
            var missing = new SortedSet<string>(StringComparer.Ordinal);
            var root = parsed.GetValue(videos) ?? Path.GetDirectoryName(Path.GetFullPath(source))!;
            VideoEntry? Find(string path, string? hash) => collections.Select(collection => hash is { Length: > 0 } && store.FindByHash(collection, hash) is [var same, ..] ? same
                : store.FindVideo(collection, Path.GetFullPath(path, Path.GetFullPath(root)))).FirstOrDefault(video => video is not null)?.Entry;
            var before = store.Annotations.Count().Values.Sum();
            var found = Path.GetExtension(source).Equals(".jsonl", StringComparison.OrdinalIgnoreCase) ? AnnotationLines.Read(source, Find, path => missing.Add(path))
                : ReadTable(source, root, path => Find(path, null), missing);
            foreach (var annotation in found)
            {
                cancellation.ThrowIfCancellationRequested();
                store.Annotations.Add(annotation);
            }
            var added = store.Annotations.Count().Values.Sum() - before;
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {added} captions and marks added, {found.Count - added} were there");
            foreach (var path in missing) Terminal.Warn($"not in the index: {TextForMessage.Quote(path)}");
            return missing.Count > 0 ? ExitCode.Partial : ExitCode.Success;
        });
        return command;
    }

    private static List<ClipAnnotation> ReadTable(string file, string root, Func<string, VideoEntry?> find, SortedSet<string> missing)
    {
        var found = new List<ClipAnnotation>();
        foreach (var split in Enum.GetValues<Split>())
        {
            if (DatasetSource.Find("captions").LoadUnlessEmpty(new DatasetOptions { Annotations = file, Videos = root, Split = split }) is not { } data) continue;
            missing.UnionWith(data.Missing);
            foreach (var sample in data.Samples)
            {
                if (find(sample.VideoPath) is not { } video) missing.Add(sample.Id);
                else found.AddRange(sample.Captions.Select(caption => new ClipAnnotation(ClipAnnotation.NewToken(), AnnotationKind.Caption, video.Hash, video.Path, new ClipSpan(sample.Start ?? 0, sample.End ?? video.Duration), caption)));
            }
            foreach (var wrong in data.WrongAnswers)
            {
                if (find(wrong.Clip.Path) is not { } video) missing.Add(wrong.Clip.Path);
                else found.Add(new ClipAnnotation(ClipAnnotation.NewToken(), AnnotationKind.Wrong, video.Hash, video.Path, new ClipSpan(wrong.Clip.Start ?? 0, wrong.Clip.End ?? video.Duration), wrong.Query));
            }
        }
        return [.. found.DistinctBy(annotation => (annotation.Clip, annotation.Text))];   // rows without a split are in two of them
    }
}
