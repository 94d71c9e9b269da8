namespace MvAdapter.Clip;

/// <summary>Learns a small vocabulary of CLIP's form from texts, for models that are trained from nothing.</summary>
public static class BpeTrainer
{
    /// <summary>
    /// Merges the most frequent pair of tokens, up to <paramref name="merges"/> times; of equally frequent pairs the
    /// first in ordinal order, so that the same texts always give the same vocabulary.
    /// </summary>
    public static TrainedVocabulary Train(IEnumerable<string> texts, int merges)
    {
        var words = CountWords(texts);
        var learnt = new List<(string Left, string Right)>();
        while (learnt.Count < merges && MostFrequentPair(words) is { } pair)
        {
            foreach (var (symbols, _) in words) Merge(symbols, pair);
            learnt.Add(pair);
        }
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var token in Vocabulary.TokensInOrder(learnt)) ids.TryAdd(token, ids.Count);
        return TrainedVocabulary.Of(ids, learnt);
    }

    private static List<(List<string> Symbols, int Count)> CountWords(IEnumerable<string> texts) =>
    [
        .. texts.SelectMany(text => WordScanner.Words(TextCleaner.Clean(text)))
            .Where(word => word is not (WordScanner.StartOfText or WordScanner.EndOfText))
            .CountBy(word => word)
            .Select(counted => (ByteSymbols.OfWord(counted.Key).ToList(), counted.Value)),
    ];

    private static (string Left, string Right)? MostFrequentPair(List<(List<string> Symbols, int Count)> words)
    {
        var counts = new Dictionary<(string Left, string Right), long>();
        foreach (var (symbols, count) in words)
        {
            for (var i = 0; i + 1 < symbols.Count; i++)
            {
                var pair = (symbols[i], symbols[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + count;
            }
        }
        if (counts.Count == 0) return null;
        return counts.OrderByDescending(counted => counted.Value)
            .ThenBy(counted => counted.Key.Left, StringComparer.Ordinal)
            .ThenBy(counted => counted.Key.Right, StringComparer.Ordinal)
            .First().Key;
    }

    private static void Merge(List<string> symbols, (string Left, string Right) pair)
    {
        for (var i = 0; i + 1 < symbols.Count; i++)
        {
            if (symbols[i] != pair.Left || symbols[i + 1] != pair.Right) continue;
            symbols[i] += symbols[i + 1];
            symbols.RemoveAt(i + 1);
        }
    }
}
