namespace MvAdapter.Datasets;

/// <summary>DiDeMo as paragraph-to-video retrieval: all descriptions of a video joined.</summary>
internal static class DiDeMo
{
    // The videos were cut to 30 seconds for annotation; the copies at hand are often longer.
    private const double AnnotatedSeconds = 31;

    public static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        var split = options.Split.ToName();
        var path = AnnotationFile.In(options.Annotations, $"{split}_data.json");
        var listed = ReadList(AnnotationFile.In(options.Annotations, $"{split}_list.txt"));
        return AnnotationFile.ReadJson<List<Description>>(path)
            .GroupBy(description => description.Video, description => description.Text)
            .Where(video => listed is null || listed.Contains(video.Key) || listed.Contains(Path.GetFileNameWithoutExtension(video.Key)))
            .Select(video => new Annotation(video.Key, Annotation.Paragraph(path, video.Key, video)) { Start = 0, End = AnnotatedSeconds });
    }

    // The list only narrows the JSON down, which is a whole split already: without it, all of that is taken.
    private static HashSet<string>? ReadList(string path) =>
        File.Exists(path) ? [.. AnnotationFile.ReadLines(path).Select(line => line.Text.Trim())] : null;

    [method: System.Text.Json.Serialization.JsonConstructor]
    private readonly record struct Description(
        string Video, [property: System.Text.Json.Serialization.JsonPropertyName("description")] string Text);
}
