using System.Net;
using System.Net.Sockets;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>The store in PostgreSQL, against a server, and what else an address may lead to.</summary>
public sealed class PostgresStoreTests : ClipStoreTests, IClassFixture<PostgresServer>, IDisposable
{
    private readonly PostgresServer server;
    private readonly string database;

    public PostgresStoreTests(PostgresServer server) => (this.server, database) = (server, server.NewDatabase());

    private string Address => server.Address(database);

    public void Dispose() => server.Execute("postgres", $"DROP DATABASE {database} WITH (FORCE)");

    protected override int RandomStores => 8;

    protected override ClipStore Open() => ClipStore.Open(Address, StoreAccess.Create);

    protected override void Clear() => server.Execute(database, "DROP SCHEMA IF EXISTS mvadapter CASCADE");

    [Fact]
    public void What_cannot_be_opened_is_told_in_one_line_without_the_password()
    {
        Refuses("postgres:me:geheim@localhost", "must look like");
        Refuses("postgres://me:ge@heim@localhost/x", "must look like");
        Refuses("postgres://me:geheim@localhost:99999999/x", "must look like");
        Refuses("postgres://me:geheim@localhost/x?sslmode=geheim", "a value that it cannot have");
        Refuses("postgres://me:geheim@localhost/x?colour=red", "\"colour\"");
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            var port = ((IPEndPoint)listener.LocalEndpoint).Port;
            listener.Stop();
            Refuses($"postgres://me:geheim@127.0.0.1:{port}/x", "cannot be reached");
        }
        Refuses(server.Address(database, password: "geheim"), "refuses this user and password");
        Refuses(server.Address("absent"), "there is no such database");
        Refuses(Address, "there is no index in this database");
        server.Execute(database, "CREATE SCHEMA mvadapter");
        Refuses(Address, "belongs to something else", StoreAccess.Create);
        server.Execute(database, "DROP SCHEMA mvadapter; CREATE ROLE guest LOGIN PASSWORD 'geheim'");
        try
        {
            Refuses(server.Address(database, "guest", "geheim"), "the user lacks a right", StoreAccess.Create);
        }
        finally
        {
            server.Execute(database, "DROP ROLE guest");
        }
    }

    [Fact]
    public void Another_version_of_schema_or_pgvector_is_refused()
    {
        Open().Dispose();
        server.Execute(database, "UPDATE mvadapter.version SET number = 99");
        Refuses(Address, "made by a newer version", StoreAccess.Create);
        server.Execute(database, "UPDATE mvadapter.version SET number = 4; UPDATE pg_extension SET extversion = '0.5.1' WHERE extname = 'vector'");
        Refuses(Address, "pgvector 0.5.1, and 0.8 is needed");
    }

    [Fact]
    public void An_older_index_is_brought_up_to_date_by_whoever_fills_it()
    {
        Open().Dispose();
        server.Execute(database, """
            DROP TABLE mvadapter.annotations, mvadapter.successions, mvadapter.shards CASCADE; ALTER TABLE mvadapter.jobs DROP COLUMN tags;
            ALTER TABLE mvadapter.videos DROP COLUMN shard, DROP COLUMN clips; ALTER TABLE mvadapter.version DROP COLUMN index; UPDATE mvadapter.version SET number = 1
            """);
        Refuses(Address, "made by an older version; run \"index add\" once");
        using (var store = Open()) new JobQueue(store, store.AddCollection(RandomClips.Model())).Add(["/a.mp4"], ["new"]);
        ClipStore.Open(Address).Dispose();
    }

    [Fact]
    public void Many_that_make_the_index_at_once_make_one()
    {
        Parallel.For(0, 8, _ =>
        {
            using var store = Open();
            store.AddCollection(RandomClips.Model());
        });
        using var one = Open();
        Assert.Single(one.Collections());
        Assert.Equal(1L, server.Ask(database, "SELECT count(*) FROM mvadapter.version"));
    }

    [Fact]
    public void Two_databases_know_nothing_of_each_other()
    {
        var second = server.NewDatabase();
        try
        {
            using var mine = Open();
            using var other = ClipStore.Open(server.Address(second), StoreAccess.Create);
            mine.ReplaceVideo(mine.AddCollection(RandomClips.Model()), RandomClips.Entry("/a.mp4"), RandomClips.Spans(1), RandomClips.Vectors(new Random(1), 1));
            Assert.Empty(other.Collections());
            Assert.Equal(0, other.Info(other.AddCollection(RandomClips.Model())).Clips);
        }
        finally
        {
            server.Execute("postgres", $"DROP DATABASE {second} WITH (FORCE)");
        }
    }

    [Fact]
    public void Verify_names_each_fault()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        for (var i = 0; i < 3; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/{i}.mp4"), RandomClips.Spans(1), RandomClips.Vectors(new Random(i), 1));
        server.Execute(database, """
            UPDATE mvadapter.clips SET vector = array_fill(1::real, ARRAY[24])::vector WHERE id = 1;
            INSERT INTO mvadapter.clips (collection, video, start, "end", vector) SELECT collection, video, start, "end", vector FROM mvadapter.clips WHERE id = 2;
            DELETE FROM mvadapter.clips WHERE id = 3
            """);
        var faults = store.Verify();
        Assert.Contains(faults, fault => fault.StartsWith("clip 1 of /0.mp4: its vector has length 4.8", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.StartsWith("a clip twice: /1.mp4", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault == "clips are missing: /2.mp4");
        Assert.Equal(3, faults.Count);
    }

    [Fact]
    public void Large_collections_are_searched_by_their_index_and_filters_still_give_as_many()
    {
        using var store = (PostgresStore)Open();
        var collection = store.AddCollection(RandomClips.Model());
        var random = new Random(1);
        for (var i = 0; i < 100; i++)
        {
            string[] tags = [.. i % 2 == 0 ? ["half"] : Array.Empty<string>(), .. i == 7 ? ["few"] : Array.Empty<string>()];
            store.ReplaceVideo(collection, RandomClips.Entry($"/{i}.mp4") with { Tags = tags }, RandomClips.Spans(20), RandomClips.Vectors(random, 20));
        }
        server.Execute(database, "ANALYZE");
        var search = new PostgresSearch(store.Database, store.Shards, collection, fewClips: 100);
        var queries = RandomClips.Vectors(random, 20);
        var entries = store.Videos(collection).ToDictionary(video => video.Entry.Path, video => video.Entry);
        Finds(null, 0.95);
        Finds("half", 0.95);
        Finds("few", 1);
        Finds("none", 1);

        void Finds(string? tag, double recall)
        {
            var filter = tag is null ? null : new ClipFilter { Tag = tag };
            var truth = search.Find(queries, 10, filter, exact: true, default);
            var found = search.Find(queries, 10, filter, exact: false, default);
            Assert.Equal(truth.Select(list => list.Count), found.Select(list => list.Count));
            Assert.All(found.SelectMany(list => list), match => Assert.True(filter?.Allows(entries[match.Clip.Path]) ?? true));
            var (hits, all) = (truth.Zip(found, (every, some) => every.Intersect(some).Count()).Sum(), truth.Sum(list => list.Count));
            Assert.True(hits >= recall * all, $"{tag}: {hits} of {all}");
        }
    }

    private static void Refuses(string address, string reason, StoreAccess access = StoreAccess.Read)
    {
        var message = Assert.ThrowsAny<MvAdapterException>(() => ClipStore.Open(address, access).Dispose()).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
