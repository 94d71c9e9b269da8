using MvAdapter.Checkpoints;

namespace MvAdapter.Datasets;

/// <summary>The captions of <c>raw-captions.pkl</c>: a pickled dictionary of video id to a list of word lists.</summary>
internal static class MsvdCaptions
{
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Read(string path) => FromPickle(path, Load(path));

    private static object? Load(string path) => Pickle.ReadFile(path);

    /// <summary>Makes captions of the unpickled object: mappings and sequences of the plain .NET kinds, and strings.</summary>
    internal static IReadOnlyDictionary<string, IReadOnlyList<string>> FromPickle(string path, object? root)
    {
        if (root is not System.Collections.IDictionary videos)
            throw new InvalidFileException(path, "does not hold a dictionary of video id to captions");
        var captions = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry video in videos)
        {
            if (video.Key is not string id) throw new InvalidFileException(path, "has a video id that is not a string");
            var field = $"video '{TextForMessage.Quote(id, 80)}'";
            captions[id] = [.. Items(path, field, video.Value).Select((words, i) => Sentence(path, $"{field}, caption {i + 1}", words))];
        }
        return captions;
    }

    private static string Sentence(string path, string field, object? words) =>
        string.Join(' ', Items(path, field, words).Select(word => word as string
            ?? throw new InvalidFileException(path, $"{field}: a word that is not a string")));

    private static IEnumerable<object?> Items(string path, string field, object? list) =>
        list is System.Collections.IEnumerable items and not (string or System.Collections.IDictionary)
            ? items.Cast<object?>()
            : throw new InvalidFileException(path, $"{field}: not a list");
}
