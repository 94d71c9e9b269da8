using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace MvAdapter.Clip;

/// <summary>A vocabulary as its files say it: the id of each token, and which neighbours merge, the most urgent first.</summary>
/// <param name="Path">The file or folder, for messages.</param>
/// <param name="Ids">Token to id.</param>
/// <param name="Merges">Pairs of tokens.</param>
internal sealed record Vocabulary(
    string Path, IReadOnlyDictionary<string, int> Ids, IReadOnlyList<(string Left, string Right)> Merges)
{
    private const string OpenAiName = "bpe_simple_vocab_16e6.txt";
    public const string IdsName = "vocab.json", MergesName = "merges.txt";

    /// <summary>CLIP uses that many merges of a file that holds many more.</summary>
    private const int MostMerges = 49152 - 256 - 2;

    private const int MostCharacters = 1 << 26;
    private const int LargestId = 1 << 24;

    /// <summary>Reads a merges file (.txt or .gz), or a folder in either of the two published forms.</summary>
    public static Vocabulary Load(string path)
    {
        if (!Directory.Exists(path)) return FromMerges(path, ReadText(path));
        var ids = System.IO.Path.Combine(path, IdsName);
        var merges = System.IO.Path.Combine(path, MergesName);
        if (File.Exists(ids) && File.Exists(merges)) return new Vocabulary(path, ReadIds(ids), ParseMerges(merges, ReadText(merges)));
        foreach (var name in new[] { OpenAiName, OpenAiName + ".gz" })
            if (System.IO.Path.Combine(path, name) is var file && File.Exists(file)) return FromMerges(file, ReadText(file));
        throw new InvalidFileException(path, $"the folder holds no vocabulary: put {IdsName} and {MergesName}, or {OpenAiName}.gz, into it");
    }

    /// <summary>The ids that CLIP gives: bytes, bytes that end a word, merges, the two special tokens.</summary>
    public static IEnumerable<string> TokensInOrder(IEnumerable<(string Left, string Right)> merges) =>
    [
        .. ByteSymbols.InVocabularyOrder,
        .. ByteSymbols.InVocabularyOrder.Select(symbol => symbol + ByteSymbols.EndOfWord),
        .. merges.Select(merge => merge.Left + merge.Right),
        WordScanner.StartOfText,
        WordScanner.EndOfText,
    ];

    /// <summary>The vocabulary of the text of a merges file.</summary>
    public static Vocabulary FromMerges(string path, string text)
    {
        var merges = ParseMerges(path, text);
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var next = 0;
        foreach (var token in TokensInOrder(merges)) ids[token] = next++;
        return new Vocabulary(path, ids, merges);
    }

    private static List<(string Left, string Right)> ParseMerges(string path, string text)
    {
        var merges = new List<(string, string)>();
        if (text.Length == 0) throw new InvalidFileException(path, "the file is empty: it should list merges");
        using var reader = new StringReader(text);
        for (var number = 1; merges.Count < MostMerges && reader.ReadLine() is { } line; number++)
        {
            if (number == 1 && line.Contains("#version:", StringComparison.Ordinal)) continue;
            if (line.Length == 0) continue;
            var parts = line.Split(' ');
            if (parts.Length != 2 || parts[0].Length == 0 || parts[1].Length == 0)
                throw new InvalidFileException(path, $"line {number} should be two tokens with a space between, not \"{TextForMessage.Quote(line, 80)}\"");
            merges.Add((parts[0], parts[1]));
        }
        return merges;
    }

    private static Dictionary<string, int> ReadIds(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(ReadText(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidFileException(path, "not a vocabulary: the JSON should be one object of tokens and ids");
            var ids = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var entry in document.RootElement.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id is < 0 or > LargestId)
                    throw new InvalidFileException(path, $"the id of token \"{TextForMessage.Quote(entry.Name, 80)}\" should be a whole number from 0 to {LargestId}");
                ids[entry.Name] = id;
            }
            return ids;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidFileException(path, "not valid JSON: fetch the vocabulary again", e);
        }
    }

    private static string ReadText(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using Stream stream = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var reader = new StreamReader(stream, Encoding.UTF8);
            var text = new StringBuilder();
            var buffer = new char[1 << 16];
            while (reader.Read(buffer) is > 0 and var count)
            {
                if (text.Length + count > MostCharacters) throw new InvalidFileException(path, "far too large to be a vocabulary");
                text.Append(buffer, 0, count);
            }
            return text.ToString();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidFileException(path, "no such vocabulary file: give bpe_simple_vocab_16e6.txt.gz, or a folder with vocab.json and merges.txt", e);
        }
        catch (InvalidDataException e)
        {
            throw new InvalidFileException(path, "not a gzip file, or a damaged one: fetch the vocabulary again", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }
}
