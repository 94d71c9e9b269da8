using System.Collections.Concurrent;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// CLIP's tokenizer: text, cleaned by <see cref="TextCleaner"/>, to the ids of byte-level BPE tokens, exactly as the
/// published models were trained with. One tokenizer may be used by many threads.
/// </summary>
public sealed class ClipTokenizer
{
    private const int MostCachedWords = 1 << 16;
    private const int LongestCachedWord = 32;

    private readonly BytePairEncoder encoder;
    private readonly Dictionary<int, string> tokens;
    private readonly ConcurrentDictionary<string, int[]> cache = new(StringComparer.Ordinal);
    private int cachedWords;

    private ClipTokenizer(Vocabulary vocabulary)
    {
        StartOfText = SpecialToken(vocabulary, WordScanner.StartOfText);
        EndOfText = SpecialToken(vocabulary, WordScanner.EndOfText);
        encoder = new BytePairEncoder(vocabulary);
        tokens = new Dictionary<int, string>(vocabulary.Ids.Count);
        foreach (var (token, id) in vocabulary.Ids) tokens[id] = token;
        VocabularySize = vocabulary.Ids.Values.Max() + 1;
    }

    /// <summary>One more than the largest id: the rows that a token embedding needs.</summary>
    public int VocabularySize { get; }

    /// <summary>The id that begins each row.</summary>
    public int StartOfText { get; }

    /// <summary>The id that ends each row's text; the model reads the text's embedding there.</summary>
    public int EndOfText { get; }

    /// <summary>
    /// Reads a vocabulary: <c>bpe_simple_vocab_16e6.txt</c> (or <c>.gz</c>), or a folder that holds it,
    /// or a folder with Hugging Face's <c>vocab.json</c> and <c>merges.txt</c>.
    /// </summary>
    /// <exception cref="InvalidFileException">The vocabulary is missing or malformed.</exception>
    public static ClipTokenizer Load(string path) => new(Vocabulary.Load(path));

    /// <summary>The tokenizer of a vocabulary that was just learnt.</summary>
    public static ClipTokenizer From(TrainedVocabulary vocabulary) => new(Vocabulary.FromMerges(Vocabulary.MergesName, vocabulary.Merges));

    /// <summary>Refuses a CLIP that was trained with another vocabulary.</summary>
    /// <param name="clip">The CLIP.</param>
    /// <param name="name">What the message calls it.</param>
    /// <exception cref="MvAdapterException">The numbers of tokens differ.</exception>
    public void RefuseOther(ClipConfig clip, string name)
    {
        ArgumentNullException.ThrowIfNull(clip);
        if (VocabularySize != clip.VocabularySize)
            throw new MvAdapterException($"the vocabulary has {VocabularySize} tokens, but {TextForMessage.Quote(name)} was trained with {clip.VocabularySize}; name the right one by --vocabulary");
    }

    /// <summary>The ids of a text, without start and end. Special tokens written out in the text count as such.</summary>
    public IReadOnlyList<int> Encode(string text)
    {
        var ids = new List<int>();
        foreach (var word in WordScanner.Words(TextCleaner.Clean(text))) ids.AddRange(EncodeWord(word));
        return ids;
    }

    /// <summary>One row of a batch: start, the first tokens that fit, end, and zeros to <paramref name="maxWords"/>.</summary>
    public int[] EncodeRow(string text, int maxWords)
    {
        CheckRoom(maxWords, rows: 1);
        var row = new int[maxWords];
        var ids = Encode(text);
        var count = Math.Min(ids.Count, maxWords - 2);
        row[0] = StartOfText;
        for (var i = 0; i < count; i++) row[i + 1] = ids[i];
        row[count + 1] = EndOfText;
        return row;
    }

    /// <summary>The rows of many texts one after another: <c>[texts, maxWords]</c>.</summary>
    public long[] EncodeBatch(IReadOnlyList<string> texts, int maxWords)
    {
        CheckRoom(maxWords, texts.Count);
        var rows = new long[texts.Count * maxWords];
        for (var i = 0; i < texts.Count; i++)
        {
            var row = EncodeRow(texts[i], maxWords);
            for (var j = 0; j < row.Length; j++) rows[i * maxWords + j] = row[j];
        }
        return rows;
    }

    /// <summary>The text that ids stand for, a space after each word; bytes that are no UTF-8 become U+FFFD.</summary>
    public string Decode(IEnumerable<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (!tokens.TryGetValue(id, out var token)) throw new MvAdapterException($"no token of the vocabulary has the id {id}");
            var endsWord = token.EndsWith(ByteSymbols.EndOfWord, StringComparison.Ordinal);
            bytes.AddRange(ByteSymbols.ToBytes(endsWord ? token[..^ByteSymbols.EndOfWord.Length] : token));
            if (endsWord) bytes.Add((byte)' ');
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    private int[] EncodeWord(string word)
    {
        if (cache.TryGetValue(word, out var ids)) return ids;
        ids = word switch
        {
            WordScanner.StartOfText => [StartOfText],
            WordScanner.EndOfText => [EndOfText],
            _ => encoder.Encode(word),
        };
        // Bounded by no longer adding: the words of a language that occur often occur early.
        if (word.Length <= LongestCachedWord && Volatile.Read(ref cachedWords) < MostCachedWords && cache.TryAdd(word, ids))
            Interlocked.Increment(ref cachedWords);
        return ids;
    }

    private static void CheckRoom(int maxWords, int rows)
    {
        if (maxWords < 2) throw new UsageException($"a text needs room for at least 2 tokens (start and end), not {maxWords}");
        if ((long)maxWords * rows > Array.MaxLength)
            throw new UsageException($"{rows} texts of {maxWords} tokens are too many for one batch: encode them in parts");
    }

    private static int SpecialToken(Vocabulary vocabulary, string token) => vocabulary.Ids.TryGetValue(token, out var id)
        ? id
        : throw new InvalidFileException(vocabulary.Path, $"the vocabulary lacks the special token \"{token}\"");
}
