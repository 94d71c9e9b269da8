namespace MvAdapter.Datasets;

/// <summary>ActivityNet Captions as paragraph-to-video retrieval: all sentences of a video joined, the whole video shown.</summary>
internal static class ActivityNet
{
    private const string Prefix = "v_";

    public static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        // The test split's captions are not public: val_1 is what everyone reports.
        var (captions, ids) = options.Split == Split.Train ? ("train.json", "train_ids.json") : ("val_1.json", "val_ids.json");
        var path = AnnotationFile.In(options.Annotations, captions);
        var listed = ReadIds(AnnotationFile.In(options.Annotations, ids));
        return AnnotationFile.ReadJson<Dictionary<string, Video>>(path)
            .Where(video => listed is null || listed.Contains(video.Key))
            .Select(video => new Annotation(video.Key, Annotation.Paragraph(path, video.Key, video.Value.Sentences))
            {
                VideoNames = video.Key.StartsWith(Prefix, StringComparison.Ordinal) ? [video.Key, video.Key[Prefix.Length..]] : [video.Key],
            });
    }

    // The official id lists name a few videos that have no captions; those cannot be used.
    private static HashSet<string>? ReadIds(string path) =>
        File.Exists(path) ? [.. AnnotationFile.ReadJson<List<string>>(path)] : null;

    [method: System.Text.Json.Serialization.JsonConstructor]
    private readonly record struct Video(IReadOnlyList<string> Sentences);
}
