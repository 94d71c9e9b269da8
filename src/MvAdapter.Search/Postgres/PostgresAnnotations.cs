namespace MvAdapter.Search;

/// <summary>The annotations in a PostgreSQL database.</summary>
internal sealed class PostgresAnnotations(PostgresDatabase database) : AnnotationStore
{
    /// <inheritdoc/>
    public override bool Remove(string token) => database.Run(session => session.Execute("DELETE FROM mvadapter.annotations WHERE token = $1", token)) > 0;

    /// <inheritdoc/>
    public override IReadOnlyList<ClipAnnotation> All() => database.Run(session => Read(session, "ORDER BY id"));

    /// <inheritdoc/>
    public override IReadOnlyList<ClipAnnotation> Of(string hash) => database.Run(session => Read(session, "WHERE hash = $1 ORDER BY id", hash));

    /// <inheritdoc/>
    public override IReadOnlyDictionary<AnnotationKind, long> Count() => database.Run(session => session.Rows(
        "SELECT kind, count(*) FROM mvadapter.annotations GROUP BY kind", row => (Kind: ClipAnnotation.Parse(row.GetString(0)), Count: row.GetInt64(1))))
        .ToDictionary(row => row.Kind, row => row.Count);

    /// <inheritdoc/>
    protected override ClipAnnotation Insert(ClipAnnotation annotation) => database.InTransaction(session =>
    {
        var (kind, span) = (ClipAnnotation.Name(annotation.Kind), annotation.Span);
        // Two that say the same at one moment: the later waits, and finds what the other said.
        session.Execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", annotation.Hash);
        if (Read(session, "WHERE token = $1", annotation.Token) is [var same]) return same;
        object?[] clip = [annotation.Hash, span.Start, span.End, annotation.Text];
        if (annotation.Kind != AnnotationKind.Caption)
            session.Execute("DELETE FROM mvadapter.annotations WHERE kind <> 'caption' AND hash = $1 AND start = $2 AND \"end\" = $3 AND text = $4", clip);
        else if (Read(session, "WHERE kind = 'caption' AND hash = $1 AND start = $2 AND \"end\" = $3 AND text = $4", clip) is [var equal, ..]) return equal;
        session.Execute($"INSERT INTO mvadapter.annotations ({Columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", annotation.Token, kind, annotation.Hash, annotation.Path,
            span.Start, span.End, annotation.Text, annotation.Who, annotation.At.Ticks);
        return annotation;
    });

    private static List<ClipAnnotation> Read(PostgresSession session, string condition, params ReadOnlySpan<object?> values) => session.Rows(
        $"SELECT {Columns} FROM mvadapter.annotations {condition}",
        row => new ClipAnnotation(row.GetString(0), ClipAnnotation.Parse(row.GetString(1)), row.GetString(2), row.GetString(3), new ClipSpan(row.GetDouble(4), row.GetDouble(5)), row.GetString(6))
        {
            Who = row.GetString(7),
            At = new DateTime(row.GetInt64(8), DateTimeKind.Utc),
        }, values);
}
