using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index</c>: videos into an index, and what is in it.</summary>
internal static class IndexCommand
{
    public static Command Create() => new("index", """
        Keeps an index of videos for search.

        Examples:
          ./run index add ~/videos --clip hf:openai/clip-vit-base-patch16
          ./run index add ~/videos                    (again: only what is new or changed; the index remembers its model)
          ./run index info
        """)
    {
        IndexAddCommand.Create(),
        Prune(),
        Info("info", "Says what the index holds."),
        Info("collections", "Lists the collections, one for each model, with all that they remember of it."),
        IndexBuildCommand.Create(),
        Verify(),
        Backup(),
        IndexCaptionCommands.Create(),
        IndexTeachCommands.Train(),
        IndexTeachCommands.Use(),
        IndexTeachCommands.Drop(),
        IndexJobCommands.Queue(),
        IndexJobCommands.Work(),
        IndexJobCommands.Jobs(),
        IndexShardCommands.Create(),
    };

    private static Command Prune()
    {
        var command = new Command("prune", """
            Takes videos whose files are gone out of the index.

            Example:
              ./run index prune --index videos.db
            """);
        var location = new IndexLocation(command);
        var force = new Option<bool>("--force") { Description = "Even if no file at all is there (by default that is refused: a disk may not be mounted)" };
        command.Add(force);
        command.Runs((parsed, cancellation) =>
        {
            using var store = location.Open(parsed, StoreAccess.Write);
            var all = store.Collections().SelectMany(collection => store.Videos(collection).Select(video => (Collection: collection, video.Entry.Path))).ToList();
            var gone = all.Where(video => !VideoFiles.Exists(video.Path) && !VideoFiles.IsHidden(video.Path)).ToList();
            if (gone.Count == all.Count && gone.Count > 0 && !parsed.GetValue(force))
                throw new MvAdapterException($"none of the {all.Count} files is there, the first: {TextForMessage.Quote(gone[0].Path)}; if that is right, use --force");
            foreach (var (collection, path) in gone)
            {
                cancellation.ThrowIfCancellationRequested();
                store.RemoveVideo(collection, path);
            }
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {gone.Count} of {all.Count} videos were gone and are no longer in it");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Backup()
    {
        var command = new Command("backup", """
            Writes a copy of an index file as it is at this moment, with captions and marks, while others search and fill it. The copy is an index:
            to restore it, put it in the other's place. The approximate index is not in it; "index build" makes it anew.

            Example:
              ./run index backup /backup/videos-2026-11-28.db --index videos.db
            """);
        var file = new Argument<string>("file") { Description = "The file to write; it must not be there yet" };
        command.Add(file);
        var location = new IndexLocation(command);
        command.Runs((parsed, cancellation) =>
        {
            var path = parsed.GetValue(file)!;
            OutputPath.Check(path);
            using var store = location.Open(parsed, StoreAccess.Read);
            store.CopyTo(path, cancellation);
            using var copy = ClipStore.Open(path);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TextForMessage.Quote(path)}: {copy.Collections().Select(copy.Info).Sum(info => info.Clips)} clips, {copy.Annotations.Count().Values.Sum()} captions and marks, {new FileInfo(path).Length / 1e6:0.0} MB"));
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Info(string name, string description)
    {
        var command = new Command(name, description);
        var location = new IndexLocation(command);
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Add(json);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, StoreAccess.Read);
            var infos = store.Collections().Select(store.Info).ToList();
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(new { index = store.Name, collections = infos.Select(Describe) }));
            else
            {
                Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {infos.Count} {(infos.Count == 1 ? "collection" : "collections")}");
                foreach (var info in infos) Console.WriteLine(name == "info" ? Summary(info) : Details(info.Collection));
            }
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Verify()
    {
        var command = new Command("verify", """
            Checks the index: its file, its vectors, that nothing is there twice or half, and that the videos' files exist.

            Example:
              ./run index verify --index videos.db
            """);
        var location = new IndexLocation(command);
        command.Runs((parsed, cancellation) =>
        {
            using var store = location.Open(parsed, StoreAccess.Read);
            var infos = store.Collections().Select(store.Info).ToList();
            IReadOnlyList<string> faults;
            using (var bar = Terminal.Begin("clips", infos.Sum(info => info.Clips)))
                faults = store.Verify(new Checked(bar), cancellation);
            var gone = infos.SelectMany(info => store.Videos(info.Collection)).Where(video => !VideoFiles.Exists(video.Entry.Path)).Select(video => video.Entry.Path).ToList();
            foreach (var fault in faults) Terminal.Error(fault);
            foreach (var path in gone)
                Terminal.Warn($"{(VideoFiles.IsHidden(path) ? "the file is in a folder that cannot be read" : "the file is gone")}: {TextForMessage.Quote(path)}");
            if (faults.Count == 0) Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {infos.Sum(info => info.Videos + info.Bad)} videos, {infos.Sum(info => info.Clips)} clips, no fault");
            return faults.Count > 0 ? ExitCode.Failure : gone.Count > 0 ? ExitCode.Partial : ExitCode.Success;
        });
        return command;
    }

    private static string Summary(CollectionInfo info) => string.Create(CultureInfo.InvariantCulture,
        $"  {info.Collection.Id}: {info.Videos} videos, {info.Clips} clips, {info.Seconds / 3600:0.0} hours, {info.Bad} with a problem; {TextForMessage.Quote(info.Collection.Model.Clip)}{(info.Collection.Model.Adapter is { } adapter ? $" with {TextForMessage.Quote(adapter)}" : "")}");

    private static string Details(ClipCollection collection) => $"""
          {collection.Id}: model {collection.Model.Identity.Backbone}+{collection.Model.Identity.Adapter}, vectors of {collection.Model.Width}
             clip       {TextForMessage.Quote(collection.Model.Clip)}
             adapter    {TextForMessage.Quote(collection.Model.Adapter ?? "none")}
             frames     {collection.Model.Sampling}
             words      {collection.Model.Words}
             clips      {collection.Model.Splitting}
        """;

    private static object Describe(CollectionInfo info) => new
    {
        id = info.Collection.Id,
        backbone = info.Collection.Model.Identity.Backbone,
        adapter = info.Collection.Model.Identity.Adapter,
        width = info.Collection.Model.Width,
        clip_file = info.Collection.Model.Clip,
        adapter_file = info.Collection.Model.Adapter,
        sampling = info.Collection.Model.Sampling,
        words = info.Collection.Model.Words,
        splitting = info.Collection.Model.Splitting,
        videos = info.Videos,
        bad = info.Bad,
        clips = info.Clips,
        seconds = info.Seconds,
    };

    private sealed class Checked(Terminal.Progress bar) : IProgress<long>
    {
        public void Report(long value) => bar.Report(value);
    }
}
