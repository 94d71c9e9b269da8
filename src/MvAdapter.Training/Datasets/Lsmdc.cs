using System.Text.RegularExpressions;

namespace MvAdapter.Datasets;

/// <summary>LSMDC: clips of films, one sentence each, in a subfolder per film.</summary>
internal static partial class Lsmdc
{
    private const int Columns = 6;

    public static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        var path = AnnotationFile.In(options.Annotations, options.Split switch
        {
            Split.Train => "LSMDC16_annos_training.csv",
            Split.Val => "LSMDC16_annos_val.csv",
            _ => "LSMDC16_challenge_1000_publictect.csv",
        });
        return AnnotationFile.ReadLines(path).Select(line => Parse(path, line.Number, line.Text))
            .GroupBy(clip => clip.Id, clip => clip.Sentence)
            .Select(clip => new Annotation(clip.Key, [.. clip]) { VideoNames = [Path.Combine(FilmOf(clip.Key), clip.Key), clip.Key] });
    }

    /// <summary>The film is the clip's name without the times at its end.</summary>
    internal static string FilmOf(string clip) => Times().Replace(clip, "");

    private static (string Id, string Sentence) Parse(string path, int line, string text)
    {
        // Quotes are part of the sentences: the files know no quoting.
        var columns = text.Split('\t');
        if (columns.Length != Columns)
            throw new InvalidFileException(path, $"line {line} has {columns.Length} tab-separated columns instead of {Columns}");
        var (id, sentence) = (columns[0].Trim(), columns[^1].Trim());
        if (id.Length == 0) throw new InvalidFileException(path, $"line {line}, column 1 (clip): empty");
        if (sentence.Length == 0) throw new InvalidFileException(path, $"line {line}, column {Columns} (sentence): empty");
        return (id, sentence);
    }

    [GeneratedRegex(@"_\d+\.\d+\.\d+\.\d+-\d+\.\d+\.\d+\.\d+$")]
    private static partial Regex Times();
}
