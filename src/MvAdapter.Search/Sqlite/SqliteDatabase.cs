using System.Reflection;
using System.Runtime.InteropServices;
using SQLitePCL;

namespace MvAdapter.Search;

/// <summary>A connection to a SQLite file through the system's library: prepared statements, transactions, clear errors.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    /// <summary>How long to wait for another process's transaction; each is one video's, or a checkpoint's.</summary>
    private const int BusyMilliseconds = 30_000;

    private static readonly Lazy<bool> Library = new(UseSystemLibrary);
    private readonly Dictionary<string, SqliteStatement> statements = new(StringComparer.Ordinal);
    private readonly sqlite3 handle;

    private SqliteDatabase(string path, sqlite3 handle) => (Path, this.handle) = (path, handle);

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    public static SqliteDatabase Open(string path, StoreAccess access)
    {
        _ = Library.Value;
        var full = System.IO.Path.GetFullPath(path);
        // For reading too: a file that cannot be written is then opened for reading, and others leave no log file behind.
        var database = Open(path, full, raw.SQLITE_OPEN_READWRITE | (access == StoreAccess.Create ? raw.SQLITE_OPEN_CREATE : 0));
        if (access != StoreAccess.Read) return database;
        // SQLite cannot read beside writers where it may not put its log's index. A finished file it can: nobody writes there.
        var code = raw.sqlite3_exec(database.handle, "PRAGMA query_only = ON; PRAGMA schema_version");
        if (code != raw.SQLITE_CANTOPEN || File.Exists(full + "-wal")) return database;
        database.Dispose();
        return Open(path, $"file:{Uri.EscapeDataString(full)}?immutable=1", raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_URI);
    }

    private static SqliteDatabase Open(string path, string address, int flags)
    {
        var code = raw.sqlite3_open_v2(address, out var handle, flags, null);
        var database = new SqliteDatabase(path, handle);
        if (code == raw.SQLITE_OK)
        {
            raw.sqlite3_busy_timeout(handle, BusyMilliseconds);
            return database;
        }
        using (database) throw database.Fault(code);
    }

    /// <summary>Runs statements that take and give nothing.</summary>
    public void Execute(string sql) => Check(raw.sqlite3_exec(handle, sql));

    /// <summary>Prepares a statement, or takes the one prepared before, and binds its values; disposing it gives it back.</summary>
    public SqliteStatement Query(string sql, params ReadOnlySpan<object?> values)
    {
        if (!statements.Remove(sql, out var statement))
        {
            Check(raw.sqlite3_prepare_v2(handle, sql, out var prepared));
            statement = new SqliteStatement(this, sql, prepared);
        }
        statement.Bind(values);
        return statement;
    }

    /// <summary>Runs a statement to its end.</summary>
    public void Run(string sql, params ReadOnlySpan<object?> values)
    {
        using var statement = Query(sql, values);
        while (statement.Next()) { }
    }

    /// <summary>The number that a statement gives in its first row; null when it gives none.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values)
    {
        using var statement = Query(sql, values);
        return statement.Next() && !statement.IsNull(0) ? statement.Long(0) : null;
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
            if (raw.sqlite3_get_autocommit(handle) == 0) Execute("ROLLBACK");
            throw;
        }
    }

    /// <summary>The number of rows that the last statement changed.</summary>
    public int Changes => raw.sqlite3_changes(handle);

    public void Dispose()
    {
        foreach (var statement in statements.Values) statement.Close();
        statements.Clear();
        handle.Dispose();
    }

    /// <summary>Keeps a statement for the next time.</summary>
    internal void GiveBack(SqliteStatement statement)
    {
        if (!statements.TryAdd(statement.Sql, statement)) statement.Close();
    }

    internal void Check(int code)
    {
        if (code is not (raw.SQLITE_OK or raw.SQLITE_ROW or raw.SQLITE_DONE)) throw Fault(code);
    }

    internal MvAdapterException Fault(int code) => new InvalidFileException(Path, (code & 0xff) switch
    {
        raw.SQLITE_NOTADB => "is no index: not a SQLite file",
        raw.SQLITE_CORRUPT => "is damaged; see \"index verify\", or make it anew with \"index add\"",
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED =>
            $"is locked by another process for more than {BusyMilliseconds / 1000} s; try again when that has ended",
        raw.SQLITE_READONLY => "cannot be written: the file or its folder is read-only",
        raw.SQLITE_CANTOPEN => "cannot be opened; see that it and its folder may be read and written",
        raw.SQLITE_FULL => "cannot be written: the disk is full",
        raw.SQLITE_IOERR => $"cannot be read or written ({Message()})",
        _ => $"the index gives an error ({Message()})",
    });

    private string Message() => TextForMessage.Quote(raw.sqlite3_errmsg(handle).utf8_to_string(), 200);

    // The provider asks for the library that is bundled with its package's companions; the system's gets security updates.
    private static bool UseSystemLibrary()
    {
        NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, (name, assembly, search) =>
            name == "e_sqlite3" ? Load(assembly, search) : IntPtr.Zero);
        raw.SetProvider(new SQLite3Provider_e_sqlite3());
        return true;
    }

    private static IntPtr Load(Assembly assembly, DllImportSearchPath? search) =>
        NativeLibrary.TryLoad("libsqlite3.so.0", assembly, search, out var library) ? library
        : throw new MvAdapterException("the library libsqlite3.so.0 was not found: install it with \"apt-get install libsqlite3-0\"");
}

/// <summary>A prepared statement with its values: its rows one after another.</summary>
internal sealed class SqliteStatement(SqliteDatabase database, string sql, sqlite3_stmt handle) : IDisposable
{
    public string Sql => sql;

    /// <summary>Goes to the next row; false after the last.</summary>
    public bool Next()
    {
        var code = raw.sqlite3_step(handle);
        database.Check(code);
        return code == raw.SQLITE_ROW;
    }

    public bool IsNull(int column) => raw.sqlite3_column_type(handle, column) == raw.SQLITE_NULL;

    public long Long(int column) => raw.sqlite3_column_int64(handle, column);

    public double Double(int column) => raw.sqlite3_column_double(handle, column);

    public string Text(int column) => raw.sqlite3_column_text(handle, column).utf8_to_string() ?? "";

    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>Says that what a row holds cannot be.</summary>
    public MvAdapterException Damaged() => database.Fault(raw.SQLITE_CORRUPT);

    /// <summary>The numbers of a blob; valid until the next row.</summary>
    public ReadOnlySpan<float> Floats(int column) => MemoryMarshal.Cast<byte, float>(raw.sqlite3_column_blob(handle, column));

    public void Bind(ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            database.Check(values[i] switch
            {
                null => raw.sqlite3_bind_null(handle, i + 1),
                long value => raw.sqlite3_bind_int64(handle, i + 1, value),
                int value => raw.sqlite3_bind_int64(handle, i + 1, value),
                double value => raw.sqlite3_bind_double(handle, i + 1, value),
                string value => raw.sqlite3_bind_text(handle, i + 1, value),
                ReadOnlyMemory<float> value => raw.sqlite3_bind_blob(handle, i + 1, MemoryMarshal.AsBytes(value.Span)),
                _ => throw new ArgumentException($"a {values[i]!.GetType()} cannot be stored", nameof(values)),
            });
        }
    }

    /// <summary>Gives it back to the database, for the next time.</summary>
    public void Dispose()
    {
        // Its error, if any, was told by the step that had it.
        _ = raw.sqlite3_reset(handle);
        _ = raw.sqlite3_clear_bindings(handle);
        database.GiveBack(this);
    }

    public void Close() => handle.Dispose();
}
