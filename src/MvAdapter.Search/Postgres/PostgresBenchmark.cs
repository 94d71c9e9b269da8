using System.Diagnostics;

namespace MvAdapter.Search;

/// <summary>
/// Measures what clips cost in a PostgreSQL server, and how fast and how well they are found: it fills a collection of its own with random
/// vectors in clusters, builds its HNSW index and asks it.
/// </summary>
public sealed class PostgresBenchmark
{
    /// <summary>Clips of a video.</summary>
    public const int ClipsPerVideo = 10;

    /// <summary>How many of the nearest a query asks for.</summary>
    public const int Results = 10;

    /// <summary>One video in so many passes the filter.</summary>
    public const int RareEvery = 100;

    private const int ClipsAtOnce = 10_000;
    private const string Rare = "rare";
    private readonly PostgresStore store;
    private readonly ClipCollection collection;
    private readonly ClusteredVectors source;
    private readonly PostgresSearch search;
    private readonly Func<string, int, IProgress<int>>? begin;
    private readonly CancellationToken cancellation;

    private PostgresBenchmark(PostgresStore store, ClipCollection collection, Func<string, int, IProgress<int>>? begin, CancellationToken cancellation)
    {
        (this.store, this.collection, this.begin, this.cancellation) = (store, collection, begin, cancellation);
        (source, search) = (new ClusteredVectors(collection.Model.Identity, collection.Model.Width), new PostgresSearch(store.Database, store.Shards, collection));
    }

    /// <summary>Measures a server.</summary>
    /// <param name="address">postgres://...</param>
    /// <param name="vectors">How many clips; at least <see cref="ClipsPerVideo"/>.</param>
    /// <param name="width">Numbers of a vector, from 2 to 2000.</param>
    /// <param name="queries">How often it is asked; at least once.</param>
    /// <param name="memory">The server's maintenance_work_mem while it builds the index, such as 4GB.</param>
    /// <param name="keep">Whether the collection stays.</param>
    /// <param name="begin">Told of each part of the work and its size, it gives what is told of its progress.</param>
    /// <param name="cancellation">Ends the work; the collection goes.</param>
    /// <exception cref="UsageException">A number is out of its range, or the address is none.</exception>
    /// <exception cref="MvAdapterException">The server cannot be used.</exception>
    public static PostgresMeasurement Run(string address, int vectors, int width, int queries, string memory, bool keep = false,
        Func<string, int, IProgress<int>>? begin = null, CancellationToken cancellation = default)
    {
        if (!PostgresAddress.Is(address)) throw new UsageException("--index must be a postgres:// address");
        if (vectors < ClipsPerVideo || width is < 2 or > 2000 || queries < 1)
            throw new UsageException($"--vectors must be at least {ClipsPerVideo}, --width from 2 to 2000, --queries at least 1");
        using var store = PostgresStore.OpenAddress(address, StoreAccess.Create);
        var identity = new ModelIdentity("bench", Guid.NewGuid().ToString("N"));
        var collection = store.AddCollection(new CollectionModel(identity, width, "random") { Sampling = "none", Words = 0, Splitting = "whole" });
        try
        {
            return new PostgresBenchmark(store, collection, begin, cancellation).Measure(vectors, queries, memory);
        }
        finally
        {
            if (!keep) store.RemoveCollection(collection);
        }
    }

    private PostgresMeasurement Measure(int vectors, int queries, string memory)
    {
        store.Database.Run(session => session.Execute($"DROP INDEX mvadapter.{PostgresStore.IndexName(collection)}"));
        OnShards($"DROP INDEX mvadapter_shard.{PostgresStore.IndexName(collection)}");
        var copied = Fill(vectors);
        var clock = Stopwatch.StartNew();
        begin?.Invoke("building the index", 0);
        store.Database.InTransaction(session =>
        {
            session.Execute("SELECT set_config('maintenance_work_mem', $1, true)", memory);
            PostgresStore.MakeIndex(session, collection);
            return true;
        }, cancellation);
        OnShards($"SET maintenance_work_mem = '{memory}'; {PostgresStore.NearestIndex(PostgresStore.IndexName(collection), ShardTables.Table(collection), collection.Model.Width)}");
        var built = clock.Elapsed.TotalSeconds;
        var (table, index) = (Size(PostgresStore.Table(collection), ShardTables.Table(collection)),
            Size($"mvadapter.{PostgresStore.IndexName(collection)}", $"mvadapter_shard.{PostgresStore.IndexName(collection)}"));
        store.Database.Run(session => { session.ExecuteLong($"VACUUM ANALYZE {PostgresStore.Table(collection)}"); session.ExecuteLong("ANALYZE mvadapter.videos"); return true; }, cancellation);
        OnShards($"VACUUM ANALYZE {ShardTables.Table(collection)}");
        OnShards("ANALYZE mvadapter_shard.videos");
        var added = Add(videos: 50);
        var plain = Ask(queries, null);
        var filtered = Ask(queries, new ClipFilter { Tag = Rare });
        return new PostgresMeasurement(vectors, collection.Model.Width, vectors / copied, table, built, index, added,
            plain.Median, plain.Last, plain.Recall, filtered.Median, filtered.Recall, plain.ExactMedian);
    }

    // Videos and clips in large pieces: what matters here is the server's work with clips.
    private double Fill(int vectors)
    {
        var progress = begin?.Invoke("vectors", vectors);
        var clock = new Stopwatch();
        for (var done = 0; done < vectors;)
        {
            var values = source.Next(Math.Min(ClipsAtOnce, vectors - done));
            clock.Start();
            store.Database.InTransaction(session =>
            {
                var ids = session.Rows($$"""
                    INSERT INTO mvadapter.videos (collection, path, size, modified, hash, duration, splitting, clips, tags, shard)
                    SELECT $1, '/bench/' || i || '.mp4', 1, 0, '', 100, 'whole', {{ClipsPerVideo}}, CASE WHEN i % $4 = 0 THEN ARRAY[$5::text] ELSE '{}' END,
                        {{PostgresShards.Home("'/bench/' || i || '.mp4'")}}
                    FROM generate_series($2::int, $3::int - 1) i RETURNING id, shard
                    """, row => (Video: row.GetInt64(0), Shard: row.GetFieldValue<int?>(1)), collection.Id, done / ClipsPerVideo, (done + values.Count + ClipsPerVideo - 1) / ClipsPerVideo, RareEvery, Rare);
                foreach (var place in Enumerable.Range(0, values.Count).GroupBy(i => ids[i / ClipsPerVideo].Shard))
                {
                    var clips = place.Select(i => (ids[i / ClipsPerVideo].Video, Span(i % ClipsPerVideo), values[i]));
                    if (place.Key is { } shard) ShardTables.Append(session, PostgresShards.One(session, shard), collection, [.. clips]);
                    else session.CopyClips(collection, clips);
                }
                return true;
            }, cancellation);
            clock.Stop();
            done += values.Count;
                progress?.Report(done);
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
        var progress = begin?.Invoke("queries", queries);
        for (var i = -10; i < queries; i++)   // the first ones warm up
        {
            var query = source.Next(1);
            var (near, seconds) = Timed(query, filter, exact: false);
            if (i < 0) continue;
            var (truth, slow) = Timed(query, filter, exact: true);
            asked.Add(seconds);
            exact.Add(slow);
            found += truth.Select(match => match.Clip.Id).Intersect(near.Select(match => match.Clip.Id)).Count();
            progress?.Report(i + 1);
        }
        asked.Sort();
        exact.Sort();
        return (asked[asked.Count / 2], asked[asked.Count * 99 / 100], (double)found / (queries * Results), exact[exact.Count / 2]);
    }

    private (ClipAnswer Found, double Seconds) Timed(ClipVectors query, ClipFilter? filter, bool exact)
    {
        var clock = Stopwatch.StartNew();
        var found = search.Find(query, Results, filter, exact, cancellation)[0];
        return (found, clock.Elapsed.TotalSeconds);
    }

    private static ClipSpan Span(int i) => new(10 * i, 10 * i + 10);

    private void OnShards(string sql) => Parallel.ForEach(store.Database.Run(PostgresShards.All), shard => store.Database.Run(session =>
    {
        session.Seconds = 0;   // as long as it takes
        ShardTables.Remote(session, shard, sql);
        return true;
    }, cancellation));

    // On all servers.
    private long Size(string here, string there) => store.Database.Run(session => session.Number("SELECT pg_relation_size($1::text::regclass)", here)!.Value
        + PostgresShards.All(session).Sum(shard => session.Number("SELECT size FROM dblink($1, $2) AS asked (size bigint)", shard.Server, $"SELECT pg_relation_size('{there}')")!.Value));
}
