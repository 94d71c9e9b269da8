using System.Diagnostics;
using MvAdapter.Search;
using Npgsql;

namespace MvAdapter.Tests.Support;

/// <summary>A PostgreSQL server of the test's own, with pgvector.</summary>
public sealed class PostgresServer : IDisposable
{
    private const int Unavailable = 3;
    private static int databases;
    private readonly TemporaryFolder folder = new();
    private readonly string? unavailable;
    private readonly string? address;

    public PostgresServer()
    {
        TestScratch.LetThrough(folder.Path);
        var (code, output, error) = Testbed("start", folder.File("server"));
        if (code == Unavailable) unavailable = error;
        else Assert.True(code == 0, error);
        address = output.TrimEnd().Split('\n')[^1];
    }

    private string Process => File.ReadLines(folder.File("server/cluster/postmaster.pid")).First();

    /// <summary>Skips the test where there is no such server, with the reason.</summary>
    public void Require() => Assert.SkipWhen(unavailable is not null, $"no PostgreSQL for tests: {unavailable}");

    /// <summary>The address of a database, with other users, passwords and so on where given.</summary>
    public string Address(string database, string? user = null, string? password = null)
    {
        var own = new Uri(address!);
        var credentials = own.UserInfo.Split(':');
        return $"postgres://{user ?? credentials[0]}:{password ?? credentials[1]}@{own.Host}:{own.Port}/{database}";
    }

    /// <summary>A new, empty database.</summary>
    public string NewDatabase()
    {
        Require();
        var name = $"test{Interlocked.Increment(ref databases)}";
        Execute("postgres", $"CREATE DATABASE {name} STRATEGY file_copy");
        return name;
    }

    /// <summary>Runs statements that give nothing.</summary>
    public void Execute(string database, string sql) => Ask(database, sql);

    /// <summary>The first row's first column.</summary>
    public object? Ask(string database, string sql)
    {
        using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(PostgresAddress.Parse(Address(database)).Connection.ConnectionString) { Pooling = false }.ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    /// <summary>Kills the server as a loss of power would, and starts it again.</summary>
    public void KillAndRestart()
    {
        Kill();
        Start();
    }

    /// <summary>Kills the server as a loss of power would.</summary>
    public void Kill()
    {
        using var server = System.Diagnostics.Process.GetProcessById(int.Parse(Process, null));
        server.Kill();
        server.WaitForExit(TimeSpan.FromSeconds(10));
    }

    /// <summary>Starts it again where it does not run, at its port.</summary>
    public void Start() => Succeeds("start", folder.File("server"));

    /// <summary>Ends it properly; <see cref="Start"/> brings it back.</summary>
    public void Stop() => Succeeds("stop", folder.File("server"));

    /// <summary>A server that has each commit of this one before it is told of; it ends with this.</summary>
    /// <returns>Its port.</returns>
    public int Follow() => new Uri(Succeeds("standby", folder.File("standby"), folder.File("server"))).Port;

    /// <summary>That server takes changes from now on.</summary>
    public void Promote() => Succeeds("promote", folder.File("standby"));

    public void Dispose()
    {
        if (unavailable is null) Testbed("stop", folder.File("server"));
        if (Directory.Exists(folder.File("standby"))) Testbed("stop", folder.File("standby"));
        folder.Dispose();
    }

    private static string Succeeds(params string[] arguments)
    {
        var (code, output, error) = Testbed(arguments);
        Assert.True(code == 0, error);
        return output.TrimEnd().Split('\n')[^1];
    }

    private static (int Code, string Output, string Error) Testbed(params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(new ProcessStartInfo(Path.Combine(Fixtures.Repository, "eng/postgres-testbed"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.GetAwaiter().GetResult().Trim());
    }
}
