using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;

namespace MvAdapter.Search;

/// <summary>A server that keeps a part of the clips of an index whose tables are on another.</summary>
/// <param name="Id">Its number in the index.</param>
/// <param name="Name">Its address without a password.</param>
/// <param name="IsLeaving">Whether it takes no new videos.</param>
internal sealed record PostgresShard(int Id, string Name, bool IsLeaving)
{
    /// <summary>The name of the foreign server.</summary>
    public string Server => string.Create(CultureInfo.InvariantCulture, $"mvadapter_shard_{Id}");

    /// <summary>The foreign table of what filters need to know of its videos.</summary>
    public string Videos => string.Create(CultureInfo.InvariantCulture, $"mvadapter.shard_{Id}_videos");

    /// <summary>The foreign table of its clips of a collection.</summary>
    public string Clips(ClipCollection collection) => string.Create(CultureInfo.InvariantCulture, $"mvadapter.shard_{Id}_clips_{collection.Id}");

    /// <summary>Reads one whose number, name and leaving are the first columns.</summary>
    public static PostgresShard Read(NpgsqlDataReader row) => new(row.GetInt32(0), row.GetString(1), row.GetBoolean(2));
}

/// <summary>
/// The shards of an index and which of them answer. The index's first server reaches them through postgres_fdw; no client connects to one.
/// <para>
/// A video's row, on the first server, says on which shard its clips are; what a shard has of videos that the rows place elsewhere is not seen.
/// So whatever breaks between the commit of a shard and that of the first server, no clip is found twice.
/// </para>
/// </summary>
internal sealed class PostgresShards(PostgresDatabase database) : IDisposable
{
    private static readonly TimeSpan BetweenProbes = TimeSpan.FromSeconds(2);
    private readonly ConcurrentDictionary<int, bool> away = new();
    private readonly CancellationTokenSource closed = new();

    /// <summary>All shards, by number.</summary>
    public static IReadOnlyList<PostgresShard> All(PostgresSession session) => session.Rows("SELECT id, name, leaving FROM mvadapter.shards ORDER BY id", PostgresShard.Read);

    /// <summary>One of them.</summary>
    public static PostgresShard One(PostgresSession session, int id) => All(session).Single(shard => shard.Id == id);

    /// <summary>
    /// The number of the shard on which a new video's clips belong; null for the first server itself, where there is none. By rendezvous hashing: a shard more takes its share
    /// from each, and nothing moves between the others.
    /// </summary>
    /// <param name="path">The expression of the video's path.</param>
    public static string Home(string path) => $"(SELECT h.id FROM mvadapter.shards h WHERE NOT h.leaving ORDER BY hashtextextended({path}, h.id) DESC LIMIT 1)";

    /// <summary>Whether it did not answer when it was asked last.</summary>
    public bool IsAway(PostgresShard shard) => away.ContainsKey(shard.Id);

    /// <summary>Whether an error may come from a shard that is away, or has just been dismissed.</summary>
    public static bool MayBeAway(Exception e) => e switch
    {
        PostgresException postgres => postgres.SqlState.StartsWith("08", StringComparison.Ordinal) || postgres.SqlState is PostgresErrorCodes.AdminShutdown
            or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.TooManyConnections
            or PostgresErrorCodes.UndefinedTable,
        NpgsqlException { InnerException: TimeoutException } => true,
        _ => false,
    };

    /// <summary>Asks each that was not away whether it is there; whether one is away now.</summary>
    public bool FindAway(CancellationToken cancellation)
    {
        var found = database.Run(All, cancellation).Where(shard => !IsAway(shard) && !Answers(shard)).ToList();
        foreach (var shard in found)
        {
            if (away.TryAdd(shard.Id, true)) _ = Await(shard);
        }
        return found.Count > 0;
    }

    /// <summary>Asks one whether it is there, within some seconds.</summary>
    public bool Answers(PostgresShard shard)
    {
        try
        {
            return database.Once(session =>
            {
                session.Execute("SET LOCAL statement_timeout = '5s'");
                session.Number($"SELECT 1 FROM {shard.Videos} LIMIT 1");
                return true;
            }, seconds: 6);
        }
        catch (MvAdapterException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        closed.Cancel();
        closed.Dispose();
    }

    // Searches go on without it and are not delayed by asking.
    private async Task Await(PostgresShard shard)
    {
        var end = closed.Token;
        try
        {
            do await Task.Delay(BetweenProbes, end).ConfigureAwait(false);
            while (!Answers(shard));
            away.TryRemove(shard.Id, out _);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The store was closed.
        }
    }
}
