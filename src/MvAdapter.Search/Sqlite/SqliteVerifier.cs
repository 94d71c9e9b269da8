using System.Runtime.InteropServices;
using MvAdapter.Files;

namespace MvAdapter.Search;

/// <summary>Checks an index file: its pages, and that its tables say one thing.</summary>
internal sealed class SqliteVerifier(SqliteDatabase database)
{
    private const int MostFaults = 100;
    private const int ReportEvery = 1000;

    // Each gives a line of text for each fault.
    private static readonly string[] Questions =
    [
        "SELECT 'a clip of no video: clip ' || id FROM clips WHERE video NOT IN (SELECT id FROM videos)",
        "SELECT 'a video of no collection: ' || path FROM videos WHERE collection NOT IN (SELECT id FROM collections)",
        "SELECT 'twice in a collection: ' || path FROM videos GROUP BY collection, path HAVING count(*) > 1",
        "SELECT 'a clip twice: ' || v.path || ' from ' || c.start || ' s' FROM clips c JOIN videos v ON v.id = c.video "
            + "GROUP BY c.video, c.start, c.\"end\" HAVING count(*) > 1",
        "SELECT 'no clips, and no reason why: ' || path FROM videos v "
            + "WHERE problem IS NULL AND NOT EXISTS (SELECT 1 FROM clips WHERE video = v.id)",
        "SELECT 'a clip ends before it begins: ' || v.path || ' from ' || c.start || ' s' FROM clips c JOIN videos v ON v.id = c.video "
            + "WHERE NOT (c.start >= 0 AND c.\"end\" > c.start)",
        "SELECT 'a change that was not noted: ' || path FROM videos v "
            + "WHERE NOT EXISTS (SELECT 1 FROM changes WHERE video = v.id AND collection = v.collection)",
    ];

    public IReadOnlyList<string> Run(IProgress<long>? clipsChecked, CancellationToken cancellation)
    {
        var faults = new List<string>();
        using (var rows = database.Query($"PRAGMA integrity_check({MostFaults})"))
            while (rows.Next())
                if (rows.Text(0) != "ok") faults.Add($"damaged: {TextForMessage.Quote(rows.Text(0))}");
        foreach (var question in Questions)
        {
            cancellation.ThrowIfCancellationRequested();
            using var rows = database.Query($"{question} LIMIT {MostFaults}");
            while (rows.Next()) faults.Add(TextForMessage.Quote(rows.Text(0)));
        }
        faults.AddRange(Vectors(clipsChecked, cancellation).Take(MostFaults));
        return faults;
    }

    /// <summary>What a vector's bytes come to.</summary>
    public static long Checksum(ReadOnlySpan<float> vector) => Crc32C.Of(MemoryMarshal.AsBytes(vector));

    private IEnumerable<string> Vectors(IProgress<long>? clipsChecked, CancellationToken cancellation)
    {
        var (checksum, checksums) = SqliteSchema.HasChecksums(database) ? ("s.crc32c", "LEFT JOIN checksums s ON s.clip = c.id") : ("NULL", "");
        using var rows = database.Query($"""
            SELECT c.id, m.width, c.vector, v.path, {checksum} FROM clips c JOIN videos v ON v.id = c.video JOIN collections m ON m.id = v.collection {checksums}
            """);
        for (var done = 1L; rows.Next(); done++)
        {
            if (done % ReportEvery == 0)
            {
                cancellation.ThrowIfCancellationRequested();
                clipsChecked?.Report(done);
            }
            var fault = ClipVectors.Fault(rows.Floats(2), (int)rows.Long(1))
                ?? (!rows.IsNull(4) && rows.Long(4) != Checksum(rows.Floats(2)) ? "its vector is not what was written: its checksum is wrong" : null);
            if (fault is not null)
                yield return $"clip {rows.Long(0)} of {TextForMessage.Quote(rows.Text(3))}: {fault}";
        }
    }
}
