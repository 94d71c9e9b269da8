using System.Text.RegularExpressions;
using Npgsql;

namespace MvAdapter.Search;

/// <summary>
/// A server's address as PostgreSQL's own programs take it: <c>postgres://user:password@host:port/database?sslmode=require</c>,
/// with several hosts for failover. What is left out comes from PGUSER, PGPASSWORD, PGPASSFILE and the like.
/// </summary>
internal sealed partial class PostgresAddress
{
    private const string Form = "the index's address must look like postgres://user@host:5432/database; "
        + "the password is best left to PGPASSWORD or ~/.pgpass; in the address, write @ as %40, / as %2F and : as %3A";

    // The names of libpq and those of Npgsql.
    private static readonly Dictionary<string, string> Settings = new(StringComparer.Ordinal)
    {
        ["application_name"] = "Application Name",
        ["connect_timeout"] = "Timeout",
        ["host"] = "Host",
        ["options"] = "Options",
        ["passfile"] = "Passfile",
        ["password"] = "Password",
        ["port"] = "Port",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["sslmode"] = "SSL Mode",
        ["sslrootcert"] = "Root Certificate",
        ["target_session_attrs"] = "Target Session Attributes",
        ["user"] = "Username",
    };

    private PostgresAddress(NpgsqlConnectionStringBuilder connection) => Connection = connection;

    /// <summary>Whether an index's address names a server.</summary>
    public static bool Is(string address) => Scheme().IsMatch(address);

    /// <summary>What Npgsql is told.</summary>
    public NpgsqlConnectionStringBuilder Connection { get; }

    /// <summary>The address in words, without the password.</summary>
    public string Name => $"postgres://{(Connection.Username is { Length: > 0 } user ? user + "@" : "")}{Connection.Host}"
        + $"{(Connection.Host!.Contains(',', StringComparison.Ordinal) || Connection.Port == NpgsqlConnection.DefaultPort ? "" : $":{Connection.Port}")}/{Connection.Database}";

    /// <summary>Reads an address. What is wrong with it is told without repeating it: it may hold a password.</summary>
    public static PostgresAddress Parse(string address)
    {
        var parts = Whole().Match(address);
        if (!parts.Success) throw new UsageException(Form);
        var connection = new NpgsqlConnectionStringBuilder { ApplicationName = "mvadapter", Timeout = 10, CommandTimeout = 60, KeepAlive = 30 };
        try
        {
            Set("Username", "user");
            Set("Password", "password");
            Set("Database", "database");
            connection.Host = parts.Groups["hosts"].Value is { Length: > 0 } hosts ? hosts : "localhost";
            if (SinglePort().Match(connection.Host) is { Success: true } single)
                (connection.Host, connection.Port) = (single.Groups["host"].Value, ushort.Parse(single.Groups["port"].Value, null));
            foreach (var setting in parts.Groups["settings"].Value.Split('&', StringSplitOptions.RemoveEmptyEntries)) Apply(connection, setting);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException)
        {
            throw new UsageException(Form);
        }
        return new PostgresAddress(connection);

        void Set(string name, string group)
        {
            if (parts.Groups[group] is { Success: true, Length: > 0 } found) connection[name] = Uri.UnescapeDataString(found.Value);
        }
    }

    private static void Apply(NpgsqlConnectionStringBuilder connection, string setting)
    {
        var (key, value) = setting.Split('=', 2) is [var left, var right] ? (left, Uri.UnescapeDataString(right)) : (setting, "");
        if (!Settings.TryGetValue(key, out var name))
            throw new UsageException($"the index's address sets \"{TextForMessage.Quote(key, 40)}\", which is none of {string.Join(", ", Settings.Keys)}");
        try
        {
            connection[name] = key == "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }
        catch (Exception e) when (e is ArgumentException or FormatException or OverflowException or InvalidCastException)
        {
            throw new UsageException($"the index's address gives {key} a value that it cannot have");
        }
    }

    [GeneratedRegex("^postgres(ql)?:", RegexOptions.IgnoreCase)]
    private static partial Regex Scheme();

    [GeneratedRegex(@"^postgres(ql)?://((?<user>[^:@/?]*)(:(?<password>[^:@/?]*))?@)?(?<hosts>[^@/?]*)(/(?<database>[^/?]*))?(\?(?<settings>.*))?$", RegexOptions.IgnoreCase)]
    private static partial Regex Whole();

    [GeneratedRegex(@"^(?<host>[^:,\[\]]*|\[[0-9a-fA-F:.]+\]):(?<port>[0-9]+)$")]
    private static partial Regex SinglePort();
}
