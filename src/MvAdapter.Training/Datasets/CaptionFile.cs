using System.Globalization;

namespace MvAdapter.Datasets;

/// <summary>
/// Anything: one record a caption, as JSONL, CSV or TSV, with <c>video</c>, <c>caption</c> and optionally <c>start</c>,
/// <c>end</c> (seconds), <c>split</c>, <c>reversal_of</c> and <c>kind</c>: caption, right (the clip answers the query that the caption is) or
/// wrong (it does not). Records of one clip make one sample of several captions;
/// records without a split belong to train and test, so that a plain list can be trained and tried on.
/// </summary>
internal static class CaptionFile
{
    private const string Wrong = "wrong";

    public static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        var path = options.Annotations;
        if (Directory.Exists(path)) throw new InvalidFileException(path, "is a folder: name the JSONL or CSV file of captions");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".jsonl" => Read(path, options.Split, ReadJsonLines(path)),
            ".csv" or ".tsv" => Read(path, options.Split, ReadCsv(path)),
            _ => throw new InvalidFileException(path, "is neither .jsonl, .csv nor .tsv"),
        };
    }

    private static IEnumerable<Annotation> Read(string path, Split split, IEnumerable<(int Line, Record Record)> records) =>
        records.Where(item => Check(path, item.Line, item.Record) is not { } own ? split != Split.Val : own == split)
            .Select(item => item.Record)
            .GroupBy(record => (record.Video, record.Start, record.End))
            .Select(clip => new Annotation(IdOf(clip.First()), [.. clip.Where(record => record.Kind != Wrong).Select(record => record.Caption.Trim())])
            {
                WrongFor = [.. clip.Where(record => record.Kind == Wrong).Select(record => record.Caption.Trim())],
                VideoNames = [clip.Key.Video],
                Start = clip.Key.Start,
                End = clip.Key.End,
                ReversalOf = clip.Select(record => record.ReversalOf).FirstOrDefault(id => id is not null),
            });

    private static IEnumerable<(int, Record)> ReadJsonLines(string path) =>
        AnnotationFile.ReadLines(path).Select(line => (line.Number, AnnotationFile.ReadJsonLine<Record>(path, line.Number, line.Text)));

    private static IEnumerable<(int, Record)> ReadCsv(string path) =>
        CsvTable.Read(path, "video", "caption").Rows.Select(row => (row.Line, new Record(
            row["video"], row["caption"], row.FindNumber("start"), row.FindNumber("end"), row.Find("split"), row.Find("reversal_of"), row.Find("kind"))));

    /// <summary>The record's split, after all its fields have been found sound.</summary>
    private static Split? Check(string path, int line, Record record)
    {
        InvalidFileException Error(string field, string reason) => new(path, $"line {line}, field {field}: {reason}");

        if (string.IsNullOrWhiteSpace(record.Video)) throw Error("video", "empty");
        if (string.IsNullOrWhiteSpace(record.Caption)) throw Error("caption", "empty");
        if (record.Start is { } start && !(start >= 0 && double.IsFinite(start))) throw Error("start", "not a time in seconds");
        if (record.End is { } end && !(end > (record.Start ?? 0) && double.IsFinite(end))) throw Error("end", "not after the start");
        if (record.Kind is not (null or "caption" or "right" or Wrong)) throw Error("kind", $"'{TextForMessage.Quote(record.Kind, 40)}' is not caption, right or wrong");
        if (record.Split is not { } name) return null;
        return SplitNames.TryParse(name, out var split)
            ? split
            : throw Error("split", $"'{TextForMessage.Quote(name, 40)}' is not train, val or test");
    }

    private static string IdOf(Record record) => record.Start is null && record.End is null
        ? record.Video
        : string.Create(CultureInfo.InvariantCulture, $"{record.Video}#{record.Start ?? 0}-{record.End}");

    [method: System.Text.Json.Serialization.JsonConstructor]
    private readonly record struct Record(
        string Video, string Caption, double? Start = null, double? End = null, string? Split = null, string? ReversalOf = null, string? Kind = null);
}
