using Npgsql;
using NpgsqlTypes;
using Pgvector;

namespace MvAdapter.Search;

/// <summary>A connection while one piece of work has it; values stand for $1, $2, ... in a statement.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection, CancellationToken cancellation)
{
    /// <summary>The cancellation of the work.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>How long a statement may take, in seconds; null for what the address says.</summary>
    public int? Seconds { get; set; }

    /// <summary>Begins a transaction; disposing what was not committed undoes it.</summary>
    public NpgsqlTransaction Begin() => connection.BeginTransaction();

    /// <summary>Runs a statement; how many rows it changed.</summary>
    public int Execute(string sql, params ReadOnlySpan<object?> values)
    {
        using var command = Command(sql, values);
        using var registration = cancellation.Register(command.Cancel);
        return command.ExecuteNonQuery();
    }

    /// <summary>Runs a statement that may take as long as it takes, such as the building of an index.</summary>
    public void ExecuteLong(string sql)
    {
        using var command = Command(sql, []);
        command.CommandTimeout = 0;
        using var registration = cancellation.Register(command.Cancel);
        command.ExecuteNonQuery();
    }

    /// <summary>The number in the first row's first column; null when there is none.</summary>
    public long? Number(string sql, params ReadOnlySpan<object?> values)
    {
        using var command = Command(sql, values);
        using var registration = cancellation.Register(command.Cancel);
        return command.ExecuteScalar() is { } value and not DBNull ? Convert.ToInt64(value, null) : null;
    }

    /// <summary>All rows.</summary>
    public List<T> Rows<T>(string sql, Func<NpgsqlDataReader, T> read, params ReadOnlySpan<object?> values)
    {
        using var command = Command(sql, values);
        using var registration = cancellation.Register(command.Cancel);
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read()) rows.Add(read(reader));
        return rows;
    }

    /// <summary>Writes clips into their collection's table on the first server by COPY; what is thrown on the way undoes them.</summary>
    public void CopyClips(ClipCollection collection, IEnumerable<(long Video, ClipSpan Span, ReadOnlyMemory<float> Vector)> clips)
    {
        using var rows = connection.BeginBinaryImport($"COPY {PostgresStore.Table(collection)} (collection, video, start, \"end\", vector) FROM STDIN (FORMAT BINARY)");
        foreach (var (video, span, vector) in clips)
        {
            rows.StartRow();
            rows.Write(collection.Id, NpgsqlDbType.Bigint);
            rows.Write(video, NpgsqlDbType.Bigint);
            rows.Write(span.Start, NpgsqlDbType.Double);
            rows.Write(span.End, NpgsqlDbType.Double);
            rows.Write(new Vector(vector));
        }
        rows.Complete();
    }

    /// <summary>Learns the server's types anew, such as those of an extension that was added.</summary>
    public void ReloadTypes() => connection.ReloadTypes();

    private NpgsqlCommand Command(string sql, ReadOnlySpan<object?> values)
    {
        cancellation.ThrowIfCancellationRequested();
        var command = new NpgsqlCommand(sql, connection);
        if (Seconds is { } seconds) command.CommandTimeout = seconds;
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value ?? DBNull.Value });
        return command;
    }
}
