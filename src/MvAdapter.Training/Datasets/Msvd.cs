namespace MvAdapter.Datasets;

/// <summary>MSVD: about forty captions a video, all of which are test queries.</summary>
internal static class Msvd
{
    /// <summary>Reads a split; <paramref name="readCaptions"/> turns the pickle into captions by video id.</summary>
    public static IEnumerable<Annotation> Read(
        DatasetOptions options, Func<string, IReadOnlyDictionary<string, IReadOnlyList<string>>> readCaptions)
    {
        var list = AnnotationFile.In(options.Annotations, $"{options.Split.ToName()}_list.txt");
        var ids = AnnotationFile.ReadLines(list).Select(line => line.Text.Trim()).Distinct().ToList();
        var path = AnnotationFile.In(options.Annotations, "raw-captions.pkl");
        var captions = readCaptions(path);
        return ids.Select(id => new Annotation(id, Annotation.CleanCaptions(path, id, captions.GetValueOrDefault(id, []))));
    }
}
