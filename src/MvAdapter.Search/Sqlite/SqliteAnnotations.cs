namespace MvAdapter.Search;

/// <summary>The annotations in an index file.</summary>
internal sealed class SqliteAnnotations(SqliteDatabase database, Lock gate) : AnnotationStore
{
    /// <inheritdoc/>
    public override bool Remove(string token)
    {
        lock (gate)
        {
            if (!IsThere) return false;
            database.Run("DELETE FROM annotations WHERE token = ?", token);
            return database.Changes > 0;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<ClipAnnotation> All() => Read("ORDER BY id");

    /// <inheritdoc/>
    public override IReadOnlyList<ClipAnnotation> Of(string hash) => Read("WHERE hash = ? ORDER BY id", hash);

    /// <inheritdoc/>
    public override IReadOnlyDictionary<AnnotationKind, long> Count()
    {
        lock (gate)
        {
            var counts = new Dictionary<AnnotationKind, long>();
            if (!IsThere) return counts;
            using var rows = database.Query("SELECT kind, count(*) FROM annotations GROUP BY kind");
            while (rows.Next()) counts[ClipAnnotation.Parse(rows.Text(0))] = rows.Long(1);
            return counts;
        }
    }

    /// <inheritdoc/>
    protected override ClipAnnotation Insert(ClipAnnotation annotation)
    {
        var (kind, span) = (ClipAnnotation.Name(annotation.Kind), annotation.Span);
        lock (gate)
        {
            return database.InTransaction(writes: true, () =>
            {
                if (Read("WHERE token = ?", annotation.Token) is [var same]) return same;
                if (annotation.Kind != AnnotationKind.Caption)
                {
                    database.Run("DELETE FROM annotations WHERE kind <> 'caption' AND hash = ? AND start = ? AND \"end\" = ? AND text = ?",
                        annotation.Hash, span.Start, span.End, annotation.Text);
                }
                else if (Read("WHERE kind = 'caption' AND hash = ? AND start = ? AND \"end\" = ? AND text = ?", annotation.Hash, span.Start, span.End, annotation.Text) is [var equal, ..])
                {
                    return equal;
                }
                database.Run($"INSERT INTO annotations ({Columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", annotation.Token, kind, annotation.Hash, annotation.Path,
                    span.Start, span.End, annotation.Text, annotation.Who, annotation.At.Ticks);
                return annotation;
            });
        }
    }

    // A file that was last written to by an earlier version has no table yet, and one that is only read gets none.
    private bool IsThere => SqliteSchema.HasTeaching(database);

    private List<ClipAnnotation> Read(string condition, params ReadOnlySpan<object?> values)
    {
        lock (gate)
        {
            var found = new List<ClipAnnotation>();
            if (!IsThere) return found;
            using var rows = database.Query($"SELECT {Columns} FROM annotations {condition}", values);
            while (rows.Next())
            {
                found.Add(new ClipAnnotation(rows.Text(0), ClipAnnotation.Parse(rows.Text(1)), rows.Text(2), rows.Text(3), new ClipSpan(rows.Double(4), rows.Double(5)), rows.Text(6))
                {
                    Who = rows.Text(7),
                    At = new DateTime(Math.Clamp(rows.Long(8), 0, DateTime.MaxValue.Ticks), DateTimeKind.Utc),
                });
            }
            return found;
        }
    }
}
