using System.Diagnostics;
using System.Net.Sockets;
using Npgsql;

namespace MvAdapter.Search;

/// <summary>A database: a pool of connections, work that is done again after a failover, and errors in one line.</summary>
internal sealed class PostgresDatabase : IDisposable
{
    /// <summary>How long a server may be away in the midst of work: a failover takes some ten seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private const double FirstDelay = 0.1;
    private const double LongestDelay = 5;
    private readonly NpgsqlDataSource source;

    private PostgresDatabase(PostgresAddress address)
    {
        Name = address.Name;
        var builder = new NpgsqlDataSourceBuilder(address.Connection.ConnectionString);
        builder.UseVector();
        source = address.Connection.Host!.Contains(',', StringComparison.Ordinal)
            ? builder.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary)
            : builder.Build();
    }

    /// <summary>The database in words, without the password.</summary>
    public string Name { get; }

    /// <summary>Connects. Here nothing is tried again: a wrong address should not take a minute to be called wrong.</summary>
    public static PostgresDatabase Open(PostgresAddress address)
    {
        var database = new PostgresDatabase(address);
        try
        {
            using var connection = database.source.OpenConnection();
            return database;
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException or ArgumentException or InvalidOperationException)
        {
            database.Dispose();
            throw database.Fault(e);
        }
    }

    /// <summary>
    /// Does a piece of work that may be done twice: when the connection breaks or the server is away, it is begun again, and
    /// whether a commit that broke came through is not known.
    /// </summary>
    public T Run<T>(Func<PostgresSession, T> work, CancellationToken cancellation = default)
    {
        var clock = Stopwatch.StartNew();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                using var connection = source.OpenConnection();
                return work(new PostgresSession(connection, cancellation));
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or IOException)
            {
                cancellation.ThrowIfCancellationRequested();   // whatever a cancelled statement says
                if (!IsTransient(e) || clock.Elapsed > Patience) throw Fault(e);
                // Jitter: a hundred workers must not come back at one moment.
                var most = Math.Min(LongestDelay, FirstDelay * Math.Pow(2, attempt));
                cancellation.WaitHandle.WaitOne(TimeSpan.FromSeconds(most * (0.5 + Random.Shared.NextDouble() / 2)));
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>The same, all of it or nothing.</summary>
    public T InTransaction<T>(Func<PostgresSession, T> work, CancellationToken cancellation = default) => Run(session => Whole(session, work), cancellation);

    /// <summary>The same, once: what fails is not tried again.</summary>
    public T Once<T>(Func<PostgresSession, T> work, int seconds)
    {
        try
        {
            using var connection = source.OpenConnection();
            return Whole(new PostgresSession(connection, CancellationToken.None) { Seconds = seconds }, work);
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or IOException)
        {
            throw Fault(e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => source.Dispose();

    private static T Whole<T>(PostgresSession session, Func<PostgresSession, T> work)
    {
        using var transaction = session.Begin();
        var result = work(session);
        transaction.Commit();
        return result;
    }

    private static bool IsTransient(Exception e) => e switch
    {
        PostgresException postgres => postgres.SqlState.StartsWith("08", StringComparison.Ordinal) || postgres.SqlState is
            PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.TooManyConnections
            or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow
            or PostgresErrorCodes.ReadOnlySqlTransaction,   // the old primary, now a standby
        NpgsqlException { InnerException: TimeoutException } => false,
        NpgsqlException npgsql => npgsql.InnerException is null or IOException or SocketException,
        _ => true,
    };

    private MvAdapterException Fault(Exception e) => new($"{TextForMessage.Quote(Name)}: " + e switch
    {
        PostgresException postgres => Reason(postgres),
        { InnerException: TimeoutException } or TimeoutException => "the server does not answer in time",
        NpgsqlException or SocketException when Socket(e) is { } socket =>
            $"the server cannot be reached ({TextForMessage.Quote(socket.Message, 100)}); see that it runs and that host and port are right",
        _ => $"the connection failed ({TextForMessage.Quote(e.Message, 200)})",
    }, e);

    private static SocketException? Socket(Exception? e) => e is null ? null : e as SocketException ?? Socket(e.InnerException);

    private static string Reason(PostgresException e) => e.SqlState switch
    {
        _ when e.Where?.Contains("remote SQL command", StringComparison.Ordinal) == true || e.SqlState == "08001" =>
            $"one of its servers fails ({Quoted(e)}); \"index shards\" shows which",
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification =>
            "the server refuses this user and password; see the address, PGUSER, PGPASSWORD and ~/.pgpass",
        PostgresErrorCodes.InvalidCatalogName => "there is no such database; make it with \"createdb\"",
        PostgresErrorCodes.InsufficientPrivilege => $"the user lacks a right ({Quoted(e)}); ask the database's owner for it",
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName => "its tables are not there or incomplete; make them with \"index add\"",
        PostgresErrorCodes.ReadOnlySqlTransaction => "the server is a standby that takes no changes; name the primary",
        PostgresErrorCodes.DiskFull => "the server's disk is full",
        PostgresErrorCodes.TooManyConnections => "the server has no connection left (max_connections)",
        _ => $"the server says: {Quoted(e)} ({e.SqlState})",
    };

    private static string Quoted(PostgresException e) => TextForMessage.Quote(e.MessageText, 200);
}
