using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>What every store must do, by one whose clips lie in three further databases.</summary>
public sealed class ShardedStoreTests : ClipStoreTests, IClassFixture<PostgresServer>, IDisposable
{
    private readonly PostgresServer server;
    private readonly string database;
    private readonly string[] shards;

    public ShardedStoreTests(PostgresServer server) =>
        (this.server, database, shards) = (server, server.NewDatabase(), [server.NewDatabase(), server.NewDatabase(), server.NewDatabase()]);

    protected override int RandomStores => 4;

    public void Dispose()
    {
        foreach (var name in (string[])[database, .. shards]) server.Execute("postgres", $"DROP DATABASE {name} WITH (FORCE)");
    }

    protected override ClipStore Open()
    {
        var store = ClipStore.Open(server.Address(database), StoreAccess.Create);
        var all = new ClipShards(store);
        if (all.List().Count == 0) foreach (var shard in shards) all.Add(server.Address(shard));
        return store;
    }

    protected override void Clear()
    {
        server.Execute(database, "DROP SCHEMA IF EXISTS mvadapter CASCADE; DROP EXTENSION IF EXISTS postgres_fdw CASCADE");
        foreach (var shard in shards) server.Execute(shard, "DROP SCHEMA IF EXISTS mvadapter_shard CASCADE");
    }
}
