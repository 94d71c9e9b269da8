namespace MvAdapter.Datasets;

/// <summary>
/// The form of the published MV-Adapter repository: a JSON list of <c>vid</c>, <c>id</c>, <c>caption</c> and <c>frames</c>, the paths of pictures
/// that were extracted beforehand, below the folder of the videos. Records of one <c>vid</c> make one sample of several captions; pictures
/// follow each other in the order of their paths' characters, as published.
/// </summary>
internal static class Frames
{
    public static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        // One file a split, in a folder; or one file for train and test, so that a plain list can be trained and tried on.
        var whole = !Directory.Exists(options.Annotations);
        if (whole && options.Split == Split.Val) return [];
        var path = whole ? options.Annotations : AnnotationFile.In(options.Annotations, options.Split.ToName() + ".json");
        if (!whole && options.Split == Split.Val && !File.Exists(path)) return [];
        return AnnotationFile.ReadJson<List<Record>>(path).Select((record, i) => Check(path, i, record)).GroupBy(record => record.Vid, StringComparer.Ordinal)
            .Select(video => new Annotation(video.Key, [.. video.Select(record => record.Caption.Trim())])
            {
                Frames = [.. video.First().Frames.Order(StringComparer.Ordinal)],
            });
    }

    private static Record Check(string path, int index, Record record)
    {
        if (string.IsNullOrWhiteSpace(record.Vid)) throw Error("vid", "empty");
        if (string.IsNullOrWhiteSpace(record.Caption)) throw Error("caption", "empty");
        if (record.Frames is not { Count: > 0 }) throw Error("frames", "names no picture");
        return record.Frames.All(frame => !string.IsNullOrWhiteSpace(frame) && !frame.Contains('\0', StringComparison.Ordinal)) ? record : throw Error("frames", "a path is empty");

        InvalidFileException Error(string field, string reason) => new(path, $"record {index + 1}, field {field}: {reason}");
    }

    // id, the caption's own, is not needed.
    [method: System.Text.Json.Serialization.JsonConstructor]
    private readonly record struct Record(string Vid, string Caption, IReadOnlyList<string> Frames);
}
