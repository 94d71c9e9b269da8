using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace MvAdapter.Search;

/// <summary>A connection to a SQLite file: commands that stay prepared, transactions, one line for each error.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    /// <summary>How long to wait for another process's transaction; each is one video's, or a checkpoint's.</summary>
    private const int BusySeconds = 30;

    private readonly Dictionary<string, SqliteCommand> commands = new(StringComparer.Ordinal);
    private readonly SqliteConnection connection;

    private SqliteDatabase(string path, SqliteConnection connection) => (Path, this.connection) = (path, connection);

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    public static SqliteDatabase Open(string path, StoreAccess access)
    {
        var full = System.IO.Path.GetFullPath(path);
        // For reading too: a file that cannot be written is then opened for reading, and others leave no log file behind.
        var database = Open(path, full, access == StoreAccess.Create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite);
        if (access != StoreAccess.Read) return database;
        try
        {
            database.Execute("PRAGMA query_only = ON; PRAGMA schema_version");
            return database;
        }
        catch (InvalidFileException e) when (e.InnerException is SqliteException { SqliteErrorCode: raw.SQLITE_CANTOPEN } && !File.Exists(full + "-wal"))
        {
            // SQLite cannot read beside writers where it may not put its log's index. A finished file it can: nobody writes there.
            database.Dispose();
            return Open(path, $"file:{Uri.EscapeDataString(full)}?immutable=1", SqliteOpenMode.ReadOnly);
        }
        catch (MvAdapterException)
        {
            // What is wrong with the file is told when it is first read.
            return database;
        }
    }

    private static SqliteDatabase Open(string path, string source, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = source, Mode = mode, Pooling = false, DefaultTimeout = BusySeconds }.ToString());
        var database = new SqliteDatabase(path, connection);
        try
        {
            connection.Open();
            return database;
        }
        catch (SqliteException e)
        {
            database.Dispose();
            throw database.Fault(e);
        }
    }

    /// <summary>Runs statements that take and give nothing.</summary>
    public void Execute(string sql)
    {
        try
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
        catch (SqliteException e)
        {
            throw Fault(e);
        }
    }

    /// <summary>Runs a command that takes the values where it has question marks, prepared now or before; disposing it gives it back.</summary>
    public SqliteRows Query(string sql, params ReadOnlySpan<object?> values)
    {
        if (!commands.Remove(sql, out var command)) command = Prepare(sql, values.Length);
        for (var i = 0; i < values.Length; i++) Bind(command.Parameters[i], values[i]);
        try
        {
            return new SqliteRows(this, sql, command, command.ExecuteReader());
        }
        catch (SqliteException e)
        {
            GiveBack(sql, command);
            throw Fault(e);
        }
    }

    /// <summary>Runs a command to its end.</summary>
    public void Run(string sql, params ReadOnlySpan<object?> values)
    {
        using var rows = Query(sql, values);
        while (rows.Next()) { }
    }

    /// <summary>The number that a command gives in its first row; null when it gives none.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values)
    {
        using var rows = Query(sql, values);
        return rows.Next() && !rows.IsNull(0) ? rows.Long(0) : null;
    }

    /// <summary>Does all of the work or nothing of it; a writer keeps other writers out from the start.</summary>
    public T InTransaction<T>(bool writes, Func<T> work)
    {
        Run(writes ? "BEGIN IMMEDIATE" : "BEGIN");
        try
        {
            var result = work();
            Run("COMMIT");
            return result;
        }
        catch
        {
            // After some errors SQLite has rolled back already.
            if (raw.sqlite3_get_autocommit(connection.Handle) == 0) Execute("ROLLBACK");
            throw;
        }
    }

    /// <summary>Writes a copy as it is at one moment, without what has been deleted; under its name only when it is whole.</summary>
    public void CopyTo(string path, CancellationToken cancellation)
    {
        var part = path + ".part";
        try
        {
            // Empty, as SQLite takes it: what cannot be written is told by the name of the copy.
            using (new FileStream(part, FileMode.Create)) { }
            using var told = cancellation.Register(() => raw.sqlite3_interrupt(connection.Handle));
            cancellation.ThrowIfCancellationRequested();
            Run("VACUUM INTO ?", part);
            using (var written = new FileStream(part, FileMode.Open)) written.Flush(flushToDisk: true);
            File.Move(part, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be written: {TextForMessage.Quote(e.Message, 200)}", e);
        }
        catch (MvAdapterException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        finally
        {
            File.Delete(part);
        }
    }

    /// <summary>The number of rows that the last command changed.</summary>
    public int Changes => raw.sqlite3_changes(connection.Handle);

    public void Dispose()
    {
        foreach (var command in commands.Values) command.Dispose();
        commands.Clear();
        connection.Dispose();
    }

    /// <summary>Keeps a command for the next time.</summary>
    internal void GiveBack(string sql, SqliteCommand command)
    {
        if (!commands.TryAdd(sql, command)) command.Dispose();
    }

    internal MvAdapterException Fault(SqliteException e) => new InvalidFileException(Path, e.SqliteErrorCode switch
    {
        raw.SQLITE_NOTADB => "is no index: not a SQLite file",
        raw.SQLITE_CORRUPT => SqliteRows.DamagedText,
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => $"is locked by another process for more than {BusySeconds} s; try again when that has ended",
        raw.SQLITE_READONLY => "cannot be written: the file or its folder is read-only",
        raw.SQLITE_CANTOPEN => "cannot be opened; see that it and its folder may be read and written",
        raw.SQLITE_FULL => "cannot be written: the disk is full",
        raw.SQLITE_IOERR => $"cannot be read or written ({Message(e)})",
        _ => $"the index gives an error ({Message(e)})",
    }, e);

    private static string Message(SqliteException e) => TextForMessage.Quote(e.Message, 200);

    // Parameters want names; question marks without a number become ?1, ?2 and so on.
    private SqliteCommand Prepare(string sql, int count)
    {
        var numbered = new StringBuilder();
        var next = 0;
        foreach (var (i, c) in sql.Index())
        {
            numbered.Append(c);
            if (c == '?' && !(i + 1 < sql.Length && char.IsAsciiDigit(sql[i + 1]))) numbered.Append(++next);
        }
        var command = connection.CreateCommand();
        command.CommandText = numbered.ToString();
        for (var i = 1; i <= count; i++) command.Parameters.Add(new SqliteParameter { ParameterName = $"?{i}" });
        return command;
    }

    private static void Bind(SqliteParameter parameter, object? value) => (parameter.SqliteType, parameter.Value, parameter.Size) = value switch
    {
        null => (SqliteType.Text, DBNull.Value, 0),
        long or int => (SqliteType.Integer, value, 0),
        double => (SqliteType.Real, value, 0),
        string text => (SqliteType.Text, text, text.Length),
        ReadOnlyMemory<float> floats => (SqliteType.Blob, MemoryMarshal.AsBytes(floats.Span).ToArray(), floats.Length * sizeof(float)),
        _ => throw new ArgumentException($"a {value.GetType()} cannot be stored", nameof(value)),
    };
}

/// <summary>What a command gives: its rows one after another.</summary>
internal sealed class SqliteRows(SqliteDatabase database, string sql, SqliteCommand command, SqliteDataReader reader) : IDisposable
{
    public const string DamagedText = "is damaged; see \"index verify\", or make it anew with \"index add\"";

    /// <summary>Goes to the next row; false after the last.</summary>
    public bool Next()
    {
        try
        {
            return reader.Read();
        }
        catch (SqliteException e)
        {
            throw database.Fault(e);
        }
    }

    public bool IsNull(int column) => reader.IsDBNull(column);

    // By SQLite's own rules for a value of another type, which a damaged file may have.
    public long Long(int column) => raw.sqlite3_column_int64(reader.Handle, column);

    public double Double(int column) => raw.sqlite3_column_double(reader.Handle, column);

    public string Text(int column) => raw.sqlite3_column_text(reader.Handle, column).utf8_to_string() ?? "";

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>Says that what a row holds cannot be.</summary>
    public MvAdapterException Damaged() => new InvalidFileException(database.Path, DamagedText);

    /// <summary>The numbers of a blob, where they lie in SQLite's memory; valid until the next row.</summary>
    public ReadOnlySpan<float> Floats(int column) => MemoryMarshal.Cast<byte, float>(raw.sqlite3_column_blob(reader.Handle, column));

    /// <summary>Gives the command back to the database, for the next time.</summary>
    public void Dispose()
    {
        reader.Dispose();
        database.GiveBack(sql, command);
    }
}
