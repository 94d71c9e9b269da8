using System.Text.Encodings.Web;
using System.Text.Json;

namespace MvAdapter.Clip;

/// <summary>The two files of a vocabulary in Hugging Face's form, which <see cref="ClipTokenizer.Load"/> reads.</summary>
/// <param name="VocabularyJson">The text of <c>vocab.json</c>.</param>
/// <param name="Merges">The text of <c>merges.txt</c>.</param>
public sealed record TrainedVocabulary(string VocabularyJson, string Merges)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Brings a vocabulary to this form from whichever form <see cref="ClipTokenizer.Load"/> reads.</summary>
    /// <exception cref="InvalidFileException">The vocabulary is missing or malformed.</exception>
    public static TrainedVocabulary Load(string path)
    {
        var vocabulary = Vocabulary.Load(path);
        return Of(vocabulary.Ids, vocabulary.Merges);
    }

    /// <summary>Writes both files into a folder, which is made if need be.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, Vocabulary.IdsName), VocabularyJson);
        File.WriteAllText(Path.Combine(folder, Vocabulary.MergesName), Merges);
    }

    internal static TrainedVocabulary Of(IReadOnlyDictionary<string, int> ids, IEnumerable<(string Left, string Right)> merges) => new(
        JsonSerializer.Serialize(ids, Readable),
        string.Concat(merges.Select(merge => $"{merge.Left} {merge.Right}\n").Prepend("#version: 0.2\n")));
}
