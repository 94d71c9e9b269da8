using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace MvAdapter.Search;

/// <summary>A server that keeps a part of an index's clips.</summary>
/// <param name="Name">Its address without a password.</param>
/// <param name="Videos">Videos that are there.</param>
/// <param name="Clips">Their clips.</param>
/// <param name="Answers">Whether it answers.</param>
/// <param name="IsLeaving">Whether it takes no new videos and gives its own to the others.</param>
public sealed record ShardInfo(string Name, long Videos, long Clips, bool Answers, bool IsLeaving);

/// <summary>
/// The servers over which an index in PostgreSQL spreads its clips. Videos, captions, jobs and settings stay on the first one; each video's clips go
/// to one of the others by a hash of its path, and a search asks all of them at once. Workers and servers go on meanwhile and need not be told.
/// </summary>
public sealed class ClipShards
{
    private const int VideosAtOnce = 100;
    private const int SecondsToAdd = 60;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(3);   // longest between a search's look at the rows and its question to a shard
    private readonly PostgresStore store;

    /// <summary>The shards of an index.</summary>
    /// <exception cref="UsageException">The store is not in PostgreSQL.</exception>
    public ClipShards(ClipStore store)
    {
        ArgumentNullException.ThrowIfNull(store);
        this.store = store as PostgresStore
            ?? throw new UsageException($"{TextForMessage.Quote(store.Name)}: only an index in PostgreSQL spreads over several servers; name one by --index postgres://...");
    }

    private PostgresDatabase Database => store.Database;

    /// <summary>All of them.</summary>
    public IReadOnlyList<ShardInfo> List() => [.. Database.Run(session => session.Rows("""
        SELECT s.id, s.name, s.leaving, count(v.id), coalesce(sum(v.clips), 0) FROM mvadapter.shards s LEFT JOIN mvadapter.videos v ON v.shard = s.id GROUP BY s.id ORDER BY s.id
        """, row => (Shard: PostgresShard.Read(row), Videos: row.GetInt64(3), Clips: row.GetInt64(4))))
        .AsParallel().AsOrdered().Select(row => new ShardInfo(row.Shard.Name, row.Videos, row.Clips, store.Shards.Answers(row.Shard), row.Shard.IsLeaving))];

    /// <summary>Takes a server in: new videos go there too, and <see cref="Move"/> gives it its part of the others.</summary>
    /// <param name="address">Its database, postgres://user:password@host/database; with several hosts the one that takes changes is found. The first server keeps the password.</param>
    /// <param name="password">The password, where the address has none.</param>
    /// <returns>Its name.</returns>
    /// <exception cref="UsageException">The address is none, or is a shard or the index itself.</exception>
    /// <exception cref="MvAdapterException">The server does not answer, or lacks what is needed.</exception>
    public string Add(string address, string? password = null)
    {
        if (!PostgresAddress.Is(address)) throw new UsageException("a shard is named by an address, postgres://user:password@host/database");
        var parsed = PostgresAddress.Parse(address);
        if (string.IsNullOrEmpty(parsed.Connection.Password)) parsed.Connection.Password = password;
        Database.Once(session =>
        {
            // No collection comes or goes meanwhile.
            session.Execute("SELECT pg_advisory_xact_lock($1)", PostgresSchema.Lock);
            if (session.Number("SELECT 1 FROM mvadapter.shards WHERE name = $1", parsed.Name) is not null) throw new UsageException($"{TextForMessage.Quote(parsed.Name)} is a shard of this index already");
            session.Execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw");
            session.Execute("CREATE EXTENSION IF NOT EXISTS dblink");
            var id = (int)session.Number("INSERT INTO mvadapter.shards (name) VALUES ($1) RETURNING id", parsed.Name)!.Value;
            var shard = new PostgresShard(id, parsed.Name, IsLeaving: false);
            session.Execute(Server(shard, parsed.Connection));
            session.Execute($"CREATE USER MAPPING FOR CURRENT_USER SERVER {shard.Server} OPTIONS ({Options(("user", parsed.Connection.Username), ("password", parsed.Connection.Password))})");
            RefuseForeign(session, shard);
            ShardTables.Make(session, shard);
            ShardTables.Remote(session, shard, string.Create(CultureInfo.InvariantCulture, $"TRUNCATE mvadapter_shard.owner; INSERT INTO mvadapter_shard.owner VALUES ('{Index(session)}', {id})"));
            foreach (var collection in PostgresStore.Collections(session)) ShardTables.AddCollection(session, shard, collection);
            return id;
        }, SecondsToAdd);
        return parsed.Name;
    }

    /// <summary>
    /// Moves videos to where they belong, a few at a time, while workers write and searches go on; then deletes what broken transactions have left on
    /// the shards. It may be stopped or killed: the next one goes on. A shard that is leaving and empty is dismissed.
    /// </summary>
    /// <param name="progress">Told of videos moved.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>Videos moved.</returns>
    public long Move(IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        var (moved, left) = (0L, new Queue<(long Moved, int Shard, long[] Videos)>());
        foreach (var collection in store.Collections())
        {
            while (MoveSome(collection, left, cancellation) is > 0 and var some)
            {
                cancellation.ThrowIfCancellationRequested();
                moved += some;
                progress?.Report(moved);
                while (left.TryPeek(out var oldest) && Stopwatch.GetElapsedTime(oldest.Moved) > Settling) Forget(left.Dequeue(), cancellation);
            }
        }
        if (left.Count > 0) cancellation.WaitHandle.WaitOne(Settling);
        cancellation.ThrowIfCancellationRequested();
        foreach (var rest in left) Forget(rest, cancellation);
        foreach (var shard in Database.Run(PostgresShards.All, cancellation)) Tidy(shard, cancellation);
        Dismiss();
        return moved;
    }

    /// <summary>Videos that <see cref="Move"/> would move.</summary>
    public long ToMove() => Database.Run(session => session.Number($"SELECT count(*) FROM mvadapter.videos v WHERE v.shard IS DISTINCT FROM {PostgresShards.Home("v.path")}")) ?? 0;

    /// <summary>Lets a server go: it takes no new videos, and <see cref="Move"/> gives its own to the others, or to the first server where it is the last.</summary>
    /// <param name="name">Its name.</param>
    /// <exception cref="UsageException">There is no such shard.</exception>
    public void Remove(string name)
    {
        if (Database.Run(session => session.Execute("UPDATE mvadapter.shards SET leaving = true WHERE name = $1", name)) > 0) return;
        var names = List().Select(shard => TextForMessage.Quote(shard.Name)).ToList();
        throw new UsageException($"{TextForMessage.Quote(name)} is no shard of this index; {(names.Count == 0 ? "it has none" : $"it has {string.Join(", ", names)}")}");
    }

    /// <summary>
    /// Forgets videos whose clips are not on the shard where they should be, as after a failover to a replica that lagged behind, and lets workers index them again.
    /// </summary>
    /// <returns>Their paths.</returns>
    public IReadOnlyList<string> Repair(CancellationToken cancellation = default) => [.. store.Collections().SelectMany(collection =>
        Database.Run(PostgresShards.All, cancellation).SelectMany(shard => ShardTables.Incomplete(Database, shard, collection, cancellation)).Select(video =>
        {
            Database.InTransaction(session =>
            {
                var path = session.Rows("DELETE FROM mvadapter.videos WHERE id = $1 RETURNING path", row => row.GetString(0), video.Id).SingleOrDefault();
                return session.Execute("UPDATE mvadapter.jobs SET state = 'ready', due = now(), attempts = 0 WHERE collection = $1 AND path = $2", collection.Id, path ?? "");
            }, cancellation);
            return video.Path;
        }))];

    // The new place's transaction commits before the row names it, and the old one is emptied later, when no search that has seen the old row still has to ask
    // there: the row always names a place that has the clips.
    private int MoveSome(ClipCollection collection, Queue<(long Moved, int Shard, long[] Videos)> left, CancellationToken cancellation)
    {
        var moved = Database.InTransaction(session =>
        {
            var shards = PostgresShards.All(session).ToDictionary(shard => shard.Id);
            // Whoever writes one of them waits.
            var videos = session.Rows($"""
                SELECT v.id, v.shard, {PostgresShards.Home("v.path")} FROM mvadapter.videos v
                WHERE v.collection = $1 AND v.shard IS DISTINCT FROM {PostgresShards.Home("v.path")} ORDER BY v.id LIMIT {VideosAtOnce} FOR UPDATE OF v SKIP LOCKED
                """, row => (Id: row.GetInt64(0), From: row.GetFieldValue<int?>(1), To: row.GetFieldValue<int?>(2)), collection.Id);
            foreach (var group in videos.GroupBy(video => (video.From, video.To)))
            {
                long[] ids = [.. group.Select(video => video.Id)];
                var (from, to) = (Clips(group.Key.From), Clips(group.Key.To));
                if (group.Key.To is { } target)
                {
                    session.Execute($"DELETE FROM {shards[target].Videos} WHERE id = ANY($1)", ids);
                    session.Execute($"""
                        INSERT INTO {shards[target].Videos} (id, collection, path, modified, duration, tags)
                        SELECT id, collection, path, modified, duration, tags FROM mvadapter.videos WHERE id = ANY($1)
                        """, ids);
                }
                session.Execute($"""
                    INSERT INTO {to} (id, collection, video, start, "end", vector) SELECT id, collection, video, start, "end", vector FROM {from} WHERE video = ANY($1)
                    """, ids);
                session.Execute("UPDATE mvadapter.videos SET shard = $2 WHERE id = ANY($1)", ids, group.Key.To);
                // Of one server: with the rest or not at all.
                if (group.Key.From is null) session.Execute($"DELETE FROM {from} WHERE video = ANY($1)", ids);
            }
            return videos.Select(video => (video.Id, video.From)).ToList();

            string Clips(int? shard) => shard is { } id ? shards[id].Clips(collection) : PostgresStore.Table(collection);
        }, cancellation);
        foreach (var group in moved.GroupBy(video => video.From))
        {
            if (group.Key is { } old) left.Enqueue((Stopwatch.GetTimestamp(), old, [.. group.Select(video => video.Id)]));
        }
        return moved.Count;
    }

    // Of videos that were moved away from a shard those that did not come back. Their rows are locked, so that nobody moves or makes them meanwhile.
    private void Forget((long Moved, int Shard, long[] Videos) left, CancellationToken cancellation) => Database.InTransaction(session =>
    {
        var shard = PostgresShards.One(session, left.Shard);
        var here = session.Rows("SELECT id FROM mvadapter.videos WHERE id = ANY($1) AND shard = $2 FOR SHARE", row => row.GetInt64(0), left.Videos, shard.Id).ToHashSet();
        return session.Execute($"DELETE FROM {shard.Videos} WHERE id = ANY($1)", left.Videos.Where(id => !here.Contains(id)).ToArray());
    }, cancellation);

    private void Tidy(PostgresShard shard, CancellationToken cancellation)
    {
        var left = ShardTables.LeftBehind(Database, shard, cancellation);
        if (left.Count == 0) return;
        Database.InTransaction(session =>
        {
            // A video whose row is not committed yet is not seen: whoever writes is waited for, for a moment.
            session.Execute("LOCK TABLE mvadapter.videos IN SHARE MODE");
            return session.Execute($"DELETE FROM {shard.Videos} s WHERE s.id = ANY($1) AND NOT EXISTS (SELECT 1 FROM mvadapter.videos v WHERE v.id = s.id AND v.shard = $2)",
                left.Select(video => video.Id).ToArray(), shard.Id);
        }, cancellation);
    }

    private void Dismiss() => Database.InTransaction(session =>
    {
        session.Execute("SELECT pg_advisory_xact_lock($1)", PostgresSchema.Lock);
        foreach (var shard in PostgresShards.All(session).Where(shard => shard.IsLeaving))
        {
            if (session.Number("SELECT 1 FROM mvadapter.videos WHERE shard = $1 LIMIT 1", shard.Id) is not null) continue;
            session.Execute("DELETE FROM mvadapter.shards WHERE id = $1", shard.Id);   // first: it waits for whoever writes there, and then refuses
            ShardTables.Remote(session, shard, "DROP SCHEMA IF EXISTS mvadapter_shard CASCADE");
            session.Execute($"DROP SERVER {shard.Server} CASCADE");
        }
        return true;
    });

    // A database that is an index, another index's shard, or this one's under another name.
    private static void RefuseForeign(PostgresSession session, PostgresShard shard)
    {
        string? Ask(string sql) => session.Rows("SELECT answer FROM dblink($1, $2) AS asked (answer text)", row => row.IsDBNull(0) ? null : row.GetString(0), shard.Server, sql).FirstOrDefault();
        if (Ask("SELECT to_regnamespace('mvadapter')::text") is not null)
            throw new UsageException($"{TextForMessage.Quote(shard.Name)} has an index of its own; a shard needs another database (CREATE DATABASE)");
        var version = Ask("SELECT max(default_version) FROM pg_available_extensions WHERE name = 'vector'");
        if (!Version.TryParse(version, out var found) || found < PostgresSchema.OldestVector)
            throw new MvAdapterException($"{TextForMessage.Quote(shard.Name)}: the server has {(version is null ? "no pgvector" : $"pgvector {TextForMessage.Quote(version, 20)}")}, and {PostgresSchema.OldestVector} or newer is needed");
        if (Ask("SELECT to_regclass('mvadapter_shard.owner')::text") is null || Ask("SELECT index || ' ' || shard FROM mvadapter_shard.owner") is not { } owner) return;
        // What an addition that was broken off has left is taken over.
        var (index, number) = owner.Split(' ') is [var left, var right] ? (left, int.Parse(right, CultureInfo.InvariantCulture)) : ("", 0);
        if (index != Index(session)) throw new UsageException($"{TextForMessage.Quote(shard.Name)} is a shard of another index; drop its schema mvadapter_shard if that index is no more");
        if (session.Rows("SELECT name FROM mvadapter.shards WHERE id = $1", row => row.GetString(0), number) is [var other])
            throw new UsageException($"{TextForMessage.Quote(shard.Name)} is a shard of this index already, as {TextForMessage.Quote(other)}");
    }

    private static string Index(PostgresSession session) => session.Rows("SELECT index::text FROM mvadapter.version", row => row.GetString(0)).Single();

    private static string Server(PostgresShard shard, NpgsqlConnectionStringBuilder address)
    {
        var hosts = address.Host!.Split(',').Select(host => host.LastIndexOf(':') is > 0 and var colon && !host.EndsWith(']')
            ? (Name: host[..colon], Port: host[(colon + 1)..]) : (Name: host, Port: address.Port.ToString(CultureInfo.InvariantCulture))).ToList();
        return $"CREATE SERVER {shard.Server} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (" + Options(
            ("host", string.Join(',', hosts.Select(host => host.Name.Trim('[', ']')))), ("port", string.Join(',', hosts.Select(host => host.Port))), ("dbname", address.Database),
            ("target_session_attrs", hosts.Count > 1 ? "read-write" : null), ("sslmode", address.ContainsKey("SSL Mode") ? Sslmode(address.SslMode) : null), ("sslrootcert", address.RootCertificate),
            ("connect_timeout", "3"), ("keepalives_idle", "30"), ("application_name", "mvadapter shard"),
            ("extensions", "vector"), ("async_capable", "true"), ("fetch_size", "1000"),
            ("options", $"-c hnsw.ef_search={PostgresSearch.LeastExplored} -c hnsw.iterative_scan=relaxed_order -c hnsw.max_scan_tuples={PostgresSearch.MostScanned}")) + ")";
    }

    private static string Sslmode(SslMode mode) => mode switch { SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", _ => mode.ToString().ToLowerInvariant() };

    // Statements that make servers take no parameters.
    private static string Options(params (string Name, string? Value)[] options) =>
        string.Join(", ", options.Where(option => option.Value is { Length: > 0 }).Select(option => $"{option.Name} '{option.Value!.Replace("'", "''", StringComparison.Ordinal)}'"));
}
