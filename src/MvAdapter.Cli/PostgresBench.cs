using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Numerics.Tensors;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>bench postgres</c>: what clips cost in PostgreSQL, and how fast and how well they are found.</summary>
internal static class PostgresBench
{
    private const int ClipsPerVideo = 10;
    private const int ClipsAtOnce = 10_000;
    private const int Results = 10;
    private const string Rare = "rare";
    private const int RareEvery = 100;   // one video in so many has that tag

    public static Command Create()
    {
        var command = new Command("postgres", """
            Fills a collection of its own with random vectors in clusters, builds its HNSW index, and asks it: bytes a clip, rates,
            the median time of a query, and how many of the ten nearest it finds. The collection is removed at the end.

            Example:
              ./run bench postgres --index "$(eng/postgres-testbed start)" --vectors 1000000
            """);
        var index = new Option<string>("--index") { Description = "The database", Required = true, HelpName = "postgres://..." };
        var vectors = new Option<int>("--vectors") { Description = "How many", DefaultValueFactory = _ => 100_000, HelpName = "N" };
        var width = new Option<int>("--width") { Description = "Numbers of a vector", DefaultValueFactory = _ => 512, HelpName = "N" };
        var queries = new Option<int>("--queries") { Description = "How often it is asked", DefaultValueFactory = _ => 200, HelpName = "N" };
        var memory = new Option<string>("--memory") { Description = "The server's maintenance_work_mem while it builds; the index should fit", DefaultValueFactory = _ => "4GB", HelpName = "SIZE" };
        var keep = new Option<bool>("--keep") { Description = "Leave the collection there" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { index, vectors, width, queries, memory, keep, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (!PostgresAddress.Is(parsed.GetValue(index)!)) throw new UsageException("--index must be a postgres:// address");
            if (parsed.GetValue(vectors) < ClipsPerVideo || parsed.GetValue(width) is < 2 or > 2000 || parsed.GetValue(queries) < 1)
                throw new UsageException($"--vectors must be at least {ClipsPerVideo}, --width from 2 to 2000, --queries at least 1");
            using var store = PostgresStore.OpenAddress(parsed.GetValue(index)!, StoreAccess.Create);
            var identity = new ModelIdentity("bench", Guid.NewGuid().ToString("N"));
            var collection = store.AddCollection(new CollectionModel(identity, parsed.GetValue(width), "random") { Sampling = "none", Words = 0, Splitting = "whole" });
            try
            {
                var bench = new Bench(store, collection, new ClusteredVectors(identity, parsed.GetValue(width)), cancellation);
                var result = bench.Run(parsed.GetValue(vectors), parsed.GetValue(queries), parsed.GetValue(memory)!);
                Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(result, Json) : result.ToString());
                return ExitCode.Success;
            }
            finally
            {
                if (!parsed.GetValue(keep)) store.RemoveCollection(collection);
            }
        });
        return command;
    }

    private static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>What was measured; times in seconds.</summary>
    internal sealed record Result(int Vectors, int Width, double CopyRate, long TableBytes, double BuildSeconds, long IndexBytes,
        double AddRate, double QueryMedian, double Query99, double Recall, double FilteredMedian, double FilteredRecall, double ExactMedian)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
            {Vectors} vectors of {Width}
            copied     {CopyRate,9:0} clips/s without an index; {(double)TableBytes / Vectors:0} bytes a clip
            HNSW       {BuildSeconds,9:0} s to build ({Vectors / BuildSeconds:0} clips/s); {(double)IndexBytes / Vectors:0} bytes a clip
            added      {AddRate,9:0} clips/s into the index, a video of {ClipsPerVideo} clips a transaction
            query      {QueryMedian * 1000,9:0.0} ms p50, {Query99 * 1000:0.0} ms p99; recall@{Results} {Recall:0.000}
            filtered   {FilteredMedian * 1000,9:0.0} ms p50 where one video in {RareEvery} passes; recall@{Results} {FilteredRecall:0.000}
            exact      {ExactMedian * 1000,9:0.0} ms p50
            """);
    }

    private sealed class Bench(PostgresStore store, ClipCollection collection, ClusteredVectors source, CancellationToken cancellation)
    {
        private readonly PostgresSearch search = new(store.Database, collection);

        public Result Run(int vectors, int queries, string memory)
        {
            store.Database.Run(session => session.Execute($"DROP INDEX mvadapter.{PostgresStore.IndexName(collection)}"));
            var copied = Fill(vectors);
            var clock = Stopwatch.StartNew();
            Terminal.Say("building the index");
            store.Database.InTransaction(session =>
            {
                session.Execute("SELECT set_config('maintenance_work_mem', $1, true)", memory);
                PostgresStore.MakeIndex(session, collection);
                return true;
            }, cancellation);
            var built = clock.Elapsed.TotalSeconds;
            var (table, index) = (Size(PostgresStore.Table(collection)), Size($"mvadapter.{PostgresStore.IndexName(collection)}"));
            store.Database.Run(session => { session.ExecuteLong($"VACUUM ANALYZE {PostgresStore.Table(collection)}"); session.ExecuteLong("ANALYZE mvadapter.videos"); return true; }, cancellation);
            var added = Add(videos: 50);
            var plain = Ask(queries, null);
            var filtered = Ask(queries, new ClipFilter { Tag = Rare });
            return new Result(vectors, collection.Model.Width, vectors / copied, table, built, index, added,
                plain.Median, plain.Last, plain.Recall, filtered.Median, filtered.Recall, plain.ExactMedian);
        }

        // Videos and clips in large pieces: what matters here is the server's work with clips.
        private double Fill(int vectors)
        {
            using var progress = Terminal.Begin("vectors", vectors);
            var clock = new Stopwatch();
            for (var done = 0; done < vectors;)
            {
                var values = source.Next(Math.Min(ClipsAtOnce, vectors - done));
                clock.Start();
                store.Database.InTransaction(session =>
                {
                    var ids = session.Rows("""
                        INSERT INTO mvadapter.videos (collection, path, size, modified, hash, duration, splitting, tags)
                        SELECT $1, '/bench/' || i || '.mp4', 1, 0, '', 100, 'whole', CASE WHEN i % $4 = 0 THEN ARRAY[$5::text] ELSE '{}' END
                        FROM generate_series($2::int, $3::int - 1) i RETURNING id
                        """, row => row.GetInt64(0), collection.Id, done / ClipsPerVideo, (done + values.Count + ClipsPerVideo - 1) / ClipsPerVideo, RareEvery, Rare);
                    session.Copy($"COPY {PostgresStore.Table(collection)} ({ClipCopy.Columns}) FROM STDIN (FORMAT BINARY)",
                        ClipCopy.Write(collection.Id, Enumerable.Range(0, values.Count).Select(i => (ids[i / ClipsPerVideo], Span(i % ClipsPerVideo), values[i]))));
                    return true;
                }, cancellation);
                clock.Stop();
                progress.Report(done += values.Count);
            }
            return clock.Elapsed.TotalSeconds;
        }

        private double Add(int videos)
        {
            var seconds = new List<double>();
            for (var i = 0; i < videos; i++)
            {
                var vectors = source.Next(ClipsPerVideo);
                var entry = new VideoEntry($"/bench/added/{i}.mp4") { Size = 1, Modified = DateTime.UnixEpoch, Hash = "", Splitting = "whole" };
                var clock = Stopwatch.StartNew();
                store.ReplaceVideo(collection, entry, [.. Enumerable.Range(0, ClipsPerVideo).Select(Span)], vectors);
                seconds.Add(clock.Elapsed.TotalSeconds);
            }
            return ClipsPerVideo * videos / seconds.Sum();
        }

        private (double Median, double Last, double Recall, double ExactMedian) Ask(int queries, ClipFilter? filter)
        {
            var (asked, exact, found) = (new List<double>(), new List<double>(), 0);
            using var progress = Terminal.Begin("queries", queries);
            for (var i = -10; i < queries; i++)   // the first ones warm up
            {
                var query = source.Next(1);
                var (near, seconds) = Timed(query, filter, exact: false);
                if (i < 0) continue;
                var (truth, slow) = Timed(query, filter, exact: true);
                asked.Add(seconds);
                exact.Add(slow);
                found += truth.Select(match => match.Clip.Id).Intersect(near.Select(match => match.Clip.Id)).Count();
                progress.Report(i + 1);
            }
            asked.Sort();
            exact.Sort();
            return (asked[asked.Count / 2], asked[asked.Count * 99 / 100], (double)found / (queries * Results), exact[exact.Count / 2]);
        }

        private (IReadOnlyList<ClipMatch> Found, double Seconds) Timed(ClipVectors query, ClipFilter? filter, bool exact)
        {
            var clock = Stopwatch.StartNew();
            var found = search.Find(query, Results, filter, exact, cancellation)[0];
            return (found, clock.Elapsed.TotalSeconds);
        }

        private static ClipSpan Span(int i) => new(10 * i, 10 * i + 10);

        private long Size(string relation) => store.Database.Run(session => session.Number("SELECT pg_relation_size($1::text::regclass)", relation))!.Value;
    }

    /// <summary>
    /// Unit vectors around random centres. Independent coordinates would make all neighbours equally far, which embeddings are
    /// not; here a vector's nearest are those of its own centre, told apart by 64 directions in which they differ.
    /// </summary>
    private sealed class ClusteredVectors(ModelIdentity identity, int width)
    {
        private const int Centres = 2000;
        private const int Directions = 64;
        private const float Spread = 0.7f;
        private readonly Random random = new(1);
        private readonly float[][] centres = Vectors(new Random(2), Centres, width);
        private readonly float[][] directions = Vectors(new Random(3), Directions, width);

        public ClipVectors Next(int count)
        {
            var values = new float[count * width];
            for (var i = 0; i < count; i++)
            {
                var row = values.AsSpan(i * width, width);
                centres[random.Next(Centres)].CopyTo(row);
                foreach (var direction in directions) TensorPrimitives.MultiplyAdd(direction, Normal(random) * Spread / MathF.Sqrt(Directions), row, row);
                TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
            }
            return new ClipVectors(identity, width, values);
        }

        private static float[][] Vectors(Random random, int count, int width) => [.. Enumerable.Range(0, count).Select(_ =>
        {
            var row = Enumerable.Range(0, width).Select(_ => Normal(random)).ToArray();
            TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
            return row;
        })];

        private static float Normal(Random random) =>
            MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(2 * MathF.PI * random.NextSingle());
    }
}
