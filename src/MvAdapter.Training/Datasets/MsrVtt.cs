namespace MvAdapter.Datasets;

/// <summary>
/// MSR-VTT: training on the 9k or 7k list, testing on the 1k-A pairs. The protocol has no validation list of its own:
/// published results choose the epoch on the 1k-A pairs, so <c>val</c> reads those too.
/// </summary>
internal static class MsrVtt
{
    private const string TestList = "MSRVTT_JSFUSION_test.csv";
    private const string Sentences = "MSRVTT_data.json";

    public static IEnumerable<Annotation> Read(DatasetOptions options, string trainList) =>
        options.Split == Split.Train ? ReadTraining(options.Annotations, trainList) : ReadPairs(options.Annotations);

    private static IEnumerable<Annotation> ReadTraining(string folder, string trainList)
    {
        var listed = CsvTable.Read(AnnotationFile.In(folder, trainList), "video_id").Rows.Select(row => row["video_id"]).Distinct();
        var path = AnnotationFile.In(folder, Sentences);
        var captions = AnnotationFile.ReadJson<SentenceFile>(path).Sentences.ToLookup(s => s.VideoId, s => s.Caption);
        return listed.Select(id => new Annotation(id, Annotation.CleanCaptions(path, id, captions[id])));
    }

    private static IEnumerable<Annotation> ReadPairs(string folder)
    {
        var path = AnnotationFile.In(folder, TestList);
        return CsvTable.Read(path, "video_id", "sentence").Rows
            .GroupBy(row => row["video_id"], row => row["sentence"])
            .Select(video => new Annotation(video.Key, [.. video]));
    }

    private sealed record SentenceFile(IReadOnlyList<Sentence> Sentences);

    [method: System.Text.Json.Serialization.JsonConstructor]
    private readonly record struct Sentence(string VideoId, string Caption);
}
