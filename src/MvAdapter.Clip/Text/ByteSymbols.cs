using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// The printable characters that stand for bytes in a vocabulary: visible Latin-1 characters for themselves,
/// the other bytes for U+0100 and on, so that a vocabulary file holds no white space or control character.
/// </summary>
internal static class ByteSymbols
{
    /// <summary>Marks the last symbol of a word.</summary>
    public const string EndOfWord = "</w>";

    private static readonly char[] Symbols = MakeSymbols();
    private static readonly Dictionary<char, byte> Bytes =
        Enumerable.Range(0, 256).ToDictionary(value => Symbols[value], value => (byte)value);

    /// <summary>All symbols in the order of a vocabulary: those that stand for themselves first.</summary>
    public static IEnumerable<string> InVocabularyOrder => Symbols.Order().Select(symbol => symbol.ToString());

    /// <summary>The symbol of a byte.</summary>
    public static string Of(byte value) => Symbols[value].ToString();

    /// <summary>The symbols of a word, the last one marked.</summary>
    public static IEnumerable<string> OfWord(string word)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        return bytes.Select((value, i) => i == bytes.Length - 1 ? Of(value) + EndOfWord : Of(value));
    }

    /// <summary>The bytes of symbols; what is no symbol is left out.</summary>
    public static IEnumerable<byte> ToBytes(string symbols)
    {
        foreach (var symbol in symbols)
            if (Bytes.TryGetValue(symbol, out var value)) yield return value;
    }

    private static char[] MakeSymbols()
    {
        var next = '\u0100';
        return [.. Enumerable.Range(0, 256).Select(value => IsVisible(value) ? (char)value : next++)];
    }

    private static bool IsVisible(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
}
