namespace MvAdapter.Clip;

/// <summary>The two files of a vocabulary in Hugging Face's form, which <see cref="ClipTokenizer.Load"/> reads.</summary>
/// <param name="VocabularyJson">The text of <c>vocab.json</c>.</param>
/// <param name="Merges">The text of <c>merges.txt</c>.</param>
public sealed record TrainedVocabulary(string VocabularyJson, string Merges)
{
    /// <summary>Writes both files into a folder, which is made if need be.</summary>
    public void Save(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, Vocabulary.IdsName), VocabularyJson);
        File.WriteAllText(Path.Combine(folder, Vocabulary.MergesName), Merges);
    }
}
