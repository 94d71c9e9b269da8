using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary>What an index of random vectors costs: to fill, to load, and to ask, beside what reading its memory once takes.</summary>
internal sealed class SearchBench(int vectors, int width, int queries, string folder)
{
    private const int ClipsPerVideo = 10;
    private const int Results = 10;
    private static readonly ModelIdentity Identity = new("bench", "bench");

    public static Command Create()
    {
        var command = new Command("search", """
            Filling an index with random vectors, then asking it, beside reading its memory once.

            Example:
              ./run bench search --vectors 1000000 --width 512
            """);
        var vectors = new Option<int>("--vectors") { Description = "How many", DefaultValueFactory = _ => 1_000_000, HelpName = "N" };
        var width = new Option<int>("--width") { Description = "Numbers of a vector", DefaultValueFactory = _ => 512, HelpName = "N" };
        var folder = new Option<string>("--folder") { Description = "Where the file is made for the time (by default the system's temporary folder)", DefaultValueFactory = _ => Path.GetTempPath(), HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { vectors, width, folder, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(vectors) < 1 || parsed.GetValue(width) is < 1 or > 2048) throw new UsageException("--vectors must be at least 1, --width from 1 to 2048");
            if (!Directory.Exists(parsed.GetValue(folder))) throw new UsageException($"--folder {TextForMessage.Quote(parsed.GetValue(folder)!)} does not exist");
            var bench = new SearchBench(parsed.GetValue(vectors), parsed.GetValue(width), queries: 100, parsed.GetValue(folder)!);
            BenchCommand.Print(bench.Run(cancellation), parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>The times, in seconds.</summary>
    internal sealed record Result(int Vectors, int Width, double InsertSeconds, double FileGigabytes, double LoadSeconds, double QueryMedian, double QueryWorstOf100, double ReadOnce, double Ratio)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
            {Vectors} vectors of {Width}: filled in {InsertSeconds:0.0} s ({Vectors / InsertSeconds:0}/s), file {FileGigabytes:0.00} GB
            loaded in {LoadSeconds:0.0} s; query p50 {QueryMedian * 1000:0.0} ms, p99 {QueryWorstOf100 * 1000:0.0} ms; reading the matrix once {ReadOnce * 1000:0.0} ms; p50 is {Ratio:0.00} times that
            """);
    }

    public Result Run(CancellationToken cancellation)
    {
        var path = Path.Combine(folder, $"bench-{Guid.NewGuid():N}.db");
        try
        {
            var random = new Random(1);
            var (insert, size) = (Fill(path, random, cancellation), 0.0);
            size = new FileInfo(path).Length / 1e9;
            return Search(path, random, insert, size, cancellation);
        }
        finally
        {
            foreach (var file in Directory.EnumerateFiles(folder, Path.GetFileName(path) + "*")) File.Delete(file);
        }
    }

    private double Fill(string path, Random random, CancellationToken cancellation)
    {
        var clock = new Stopwatch();
        using var progress = Terminal.Begin("vectors", vectors);
        clock.Start();
        using var store = ClipStore.Open(path, StoreAccess.Create);
        var collection = store.AddCollection(new CollectionModel(Identity, width, "random") { Sampling = "none", Words = 0, Splitting = "whole" });
        for (var done = 0; done < vectors;)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = Math.Min(ClipsPerVideo, vectors - done);
            clock.Stop();
            var values = Random(random, count);
            clock.Start();
            var entry = new VideoEntry(string.Create(CultureInfo.InvariantCulture, $"/videos/{done / 1000:0000}/{done:00000000}.mp4")) { Size = 1, Modified = DateTime.UnixEpoch, Hash = "", Splitting = "whole" };
            store.ReplaceVideo(collection, entry, [.. Enumerable.Range(0, count).Select(i => new ClipSpan(10 * i, 10 * i + 10))], values);
            progress.Report(done += count);
        }
        store.Dispose();   // with it the last pages reach the file
        return clock.Elapsed.TotalSeconds;
    }

    private Result Search(string path, Random random, double insert, double size, CancellationToken cancellation)
    {
        using var store = ClipStore.Open(path);
        var collection = store.Collections()[0];
        var clock = Stopwatch.StartNew();
        store.Search(collection, Random(random, 1), Results, null, exact: false, cancellation);
        var load = clock.Elapsed.TotalSeconds;
        using var matrix = new Memory((nuint)((long)vectors * ((width + 63) / 64 * 64)));
        var (asked, read) = (new List<double>(), new List<double>());
        for (var i = -1; i < queries; i++)   // the first one warms up
        {
            var query = Random(random, 1);
            clock.Restart();
            store.Search(collection, query, Results, null, exact: false, cancellation);
            var searched = clock.Elapsed.TotalSeconds;
            clock.Restart();
            matrix.ReadOnce();
            if (i < 0) continue;
            asked.Add(searched);
            read.Add(clock.Elapsed.TotalSeconds);
        }
        asked.Sort();
        read.Sort();
        var (median, once) = (asked[asked.Count / 2], read[read.Count / 2]);
        return new Result(vectors, width, insert, size, load, median, asked[Math.Min(asked.Count - 1, asked.Count * 99 / 100)], once, median / once);
    }

    private ClipVectors Random(Random random, int count)
    {
        var values = new float[count * width];
        for (var i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
        for (var i = 0; i < count; i++)
        {
            var row = values.AsSpan(i * width, width);
            TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
        }
        return new ClipVectors(Identity, width, values);
    }

    /// <summary>As many bytes as the matrix in memory takes, to see how fast all processors together can read them.</summary>
    private sealed unsafe class Memory : IDisposable
    {
        private const int Piece = 1 << 17;
        private readonly byte* bytes;
        private readonly nuint length;
        private long sum;

        public Memory(nuint length)
        {
            this.length = length / Piece * Piece;
            bytes = (byte*)NativeMemory.AlignedAlloc(length, 64);
            NativeMemory.Fill(bytes, length, 1);
        }

        public void ReadOnce()
        {
            var pieces = (int)(length / Piece);
            var next = -1;
            Parallel.For(0, Environment.ProcessorCount, _ =>
            {
                var total = Vector512<long>.Zero;
                for (int piece; (piece = Interlocked.Increment(ref next)) < pieces;)
                    for (var at = 0; at < Piece; at += 64) total += Vector512.LoadAligned((long*)(bytes + (long)piece * Piece + at));
                Interlocked.Add(ref sum, Vector512.Sum(total));
            });
        }

        public void Dispose() => NativeMemory.AlignedFree(bytes);
    }
}
