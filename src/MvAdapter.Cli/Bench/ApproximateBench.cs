using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MvAdapter.Files;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary>What the approximate index of a large file costs, how fast it answers, and how much it finds of what looking at every clip finds.</summary>
internal sealed class ApproximateBench(string index, long vectors, int width, int queries)
{
    private const int ClipsPerVideo = 10;
    private const int Results = 10;
    private const int RareEvery = 1000;
    private const int Added = 100;
    private const string Rare = "rare";
    private static readonly ClipFilter OnlyRare = new() { Tag = Rare };
    private static readonly ModelIdentity Identity = new("bench", "bench");
    private readonly ClusteredVectors source = new(Identity, width);
    private readonly ClusteredVectors asking = new(Identity, width, seed: 2);   // not what is in the index, if it was filled before

    public static Command Create()
    {
        var command = new Command("approximate", """
            Fills an index file with vectors around centres, builds its approximate index, and asks it: build time, size, the time of a query,
            how many of the ten nearest it finds, the same where one video in a thousand passes a filter, and clips that come later. Stop it when you
            like: with --index the same command goes on.

            Example:
              ./run bench approximate --vectors 1000000 --index /data/bench.db
            """);
        var vectors = new Option<long>("--vectors") { Description = "How many", DefaultValueFactory = _ => 1_000_000, HelpName = "N" };
        var width = new Option<int>("--width") { Description = "Numbers of a vector", DefaultValueFactory = _ => 512, HelpName = "N" };
        var queries = new Option<int>("--queries") { Description = "How often it is asked", DefaultValueFactory = _ => 200, HelpName = "N" };
        var index = new Option<string?>("--index") { Description = "The file, which stays (by default one in the system's temporary folder, which goes)", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { vectors, width, queries, index, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(vectors) < ClipsPerVideo || parsed.GetValue(width) is < 2 or > 2048 || parsed.GetValue(queries) < 1)
                throw new UsageException($"--vectors must be at least {ClipsPerVideo}, --width from 2 to 2048, --queries at least 1");
            var kept = parsed.GetValue(index);
            using var folder = kept is null ? new ScratchFolder("mvadapter-bench") : null;
            var path = kept ?? Path.Combine(folder!.Path, "bench.db");
            BenchCommand.Print(new ApproximateBench(path, parsed.GetValue(vectors), parsed.GetValue(width), parsed.GetValue(queries)).Run(cancellation), parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>What was measured; times in seconds, null for what was done before.</summary>
    internal sealed record Result(long Vectors, int Width, double? FillSeconds, double FileGigabytes, double? BuildSeconds, double IndexGigabytes, double OpenSeconds,
        double QueryMedian, double QueryP99, double Recall, double FilteredMedian, double FilteredRecall, double AddSeconds, double UpdateSeconds)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
            {Vectors} vectors of {Width}: file {FileGigabytes:0.00} GB{(FillSeconds is { } fill ? $", filled in {fill:0.0} s ({Vectors / fill:0}/s)" : "")}
            approximate index {IndexGigabytes:0.00} GB{(BuildSeconds is { } build ? $", built in {build:0.0} s ({Vectors / build:0}/s)" : "")}; opened and asked once in {OpenSeconds:0.00} s
            query p50 {QueryMedian * 1000:0.00} ms, p99 {QueryP99 * 1000:0.00} ms, recall@{Results} {Recall:0.000}
            where one video in {RareEvery} passes: p50 {FilteredMedian * 1000:0.0} ms, recall@{Results} {FilteredRecall:0.000}
            {Added} clips added and found in {AddSeconds:0.00} s, taken into it in {UpdateSeconds:0.0} s
            """);
    }

    public Result Run(CancellationToken cancellation)
    {
        var fill = Fill(cancellation);
        var build = Build(cancellation);
        // As another process finds it.
        var clock = Stopwatch.StartNew();
        using var store = ClipStore.Open(index, StoreAccess.Write);
        var collection = store.Collections()[0];
        store.Search(collection, asking.Next(1), Results, null, exact: false, cancellation);
        var open = clock.Elapsed.TotalSeconds;
        var asked = Enumerable.Range(0, queries).Select(_ => asking.Next(1)).ToList();
        foreach (var query in asked) store.Search(collection, query, Results, null, exact: false, cancellation);   // warms up: the file's pages too
        var (times, near) = Ask(store, collection, asked, null, cancellation);
        var (filteredTimes, filtered) = Ask(store, collection, asked, OnlyRare, cancellation);
        var add = BenchCommand.Clock(() =>
        {
            for (var done = 0; done < Added; done += ClipsPerVideo) Add(store, collection, $"/added/{Guid.NewGuid():N}.mp4");
            store.Search(collection, asking.Next(1), Results, null, exact: false, cancellation);
        });
        var update = BenchCommand.Clock(() => store.ApproximateIndexBuilder(collection)!.Build(null, cancellation));
        var indexBytes = Directory.EnumerateFiles(index + ".approximate").Sum(file => new FileInfo(file).Length);
        Terminal.Say("looking at every clip, to compare");
        return new Result(vectors, width, fill, new FileInfo(index).Length / 1e9, build, indexBytes / 1e9, open,
            BenchCommand.Median(times), times.Order().ElementAt(times.Count * 99 / 100), Recall(store, collection, asked, near, null, cancellation),
            BenchCommand.Median(filteredTimes), Recall(store, collection, asked, filtered, OnlyRare, cancellation), add, update);
    }

    private double? Fill(CancellationToken cancellation)
    {
        using var store = ClipStore.Open(index, StoreAccess.Create);
        var collection = store.AddCollection(new CollectionModel(Identity, width, "random") { Sampling = "none", Words = 0, Splitting = "whole" });
        var done = store.Info(collection).Clips;
        if (done >= vectors) return null;
        var (fresh, clock) = (done == 0, Stopwatch.StartNew());
        using var bar = Terminal.Begin("vectors", vectors);
        for (; done < vectors; done += ClipsPerVideo)
        {
            cancellation.ThrowIfCancellationRequested();
            Add(store, collection, string.Create(CultureInfo.InvariantCulture, $"/videos/{done / 100_000:0000}/{done:00000000}.mp4"), done / ClipsPerVideo % RareEvery == 0 ? [Rare] : []);
            bar.Report(done);
        }
        return fresh ? clock.Elapsed.TotalSeconds : null;
    }

    private double? Build(CancellationToken cancellation)
    {
        using var store = ClipStore.Open(index);
        var collection = store.Collections()[0];
        if (store.IsApproximate(collection)) return null;
        var builder = store.ApproximateIndexBuilder(collection) ?? throw new UsageException("there is no approximate index to build here");
        using var bar = new ApproximateBar();
        return BenchCommand.Clock(() => builder.Build(bar, cancellation));
    }

    private void Add(ClipStore store, ClipCollection collection, string path, string[]? tags = null) => store.ReplaceVideo(collection,
        new VideoEntry(path) { Size = 1, Modified = DateTime.UnixEpoch, Hash = "", Splitting = "whole", Tags = tags ?? [] },
        [.. Enumerable.Range(0, ClipsPerVideo).Select(i => new ClipSpan(10 * i, 10 * i + 10))], source.Next(ClipsPerVideo));

    private static (List<double> Times, List<IReadOnlyList<ClipMatch>> Found) Ask(ClipStore store, ClipCollection collection, List<ClipVectors> asked, ClipFilter? filter, CancellationToken cancellation)
    {
        var (times, found) = (new List<double>(), new List<IReadOnlyList<ClipMatch>>());
        foreach (var query in asked) times.Add(BenchCommand.Clock(() => found.Add(store.Search(collection, query, Results, filter, exact: false, cancellation)[0])));
        return (times, found);
    }

    private static double Recall(ClipStore store, ClipCollection collection, List<ClipVectors> asked, List<IReadOnlyList<ClipMatch>> near, ClipFilter? filter, CancellationToken cancellation)
    {
        var (found, all) = (0, 0);
        foreach (var (query, best) in asked.Zip(near))
        {
            var exact = store.Search(collection, query, Results, filter, exact: true, cancellation)[0];
            found += exact.Select(match => match.Clip.Id).Intersect(best.Select(match => match.Clip.Id)).Count();
            all += exact.Count;
        }
        return (double)found / all;
    }
}
