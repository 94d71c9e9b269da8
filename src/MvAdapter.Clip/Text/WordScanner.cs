using System.Globalization;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// Splits cleaned text into the words that are tokenized apart: special tokens, English contractions, runs of letters,
/// single digits, runs of anything else but white space. It works on code points: a regular expression of .NET
/// sees UTF-16 units and would take letters and digits outside the basic plane for symbols.
/// </summary>
internal static class WordScanner
{
    public const string StartOfText = "<|startoftext|>";
    public const string EndOfText = "<|endoftext|>";

    private enum Kind { Space, Letter, Number, Symbol }

    /// <summary>The words of a text in order.</summary>
    public static IEnumerable<string> Words(string text)
    {
        for (var start = 0; start < text.Length;)
        {
            var kind = KindAt(text, start, out var length);
            if (kind != Kind.Space)
            {
                length = FixedLength(text.AsSpan(start)) is > 0 and var known
                    ? known
                    : kind == Kind.Number ? length : RunLength(text, start, kind);
                yield return text.Substring(start, length);
            }
            start += length;
        }
    }

    /// <summary>The length of the special token or contraction that the text begins with, or 0.</summary>
    private static int FixedLength(ReadOnlySpan<char> text)
    {
        if (text[0] == '<')
        {
            if (text.StartsWith(StartOfText)) return StartOfText.Length;
            if (text.StartsWith(EndOfText)) return EndOfText.Length;
        }
        if (text[0] != '\'' || text.Length < 2) return 0;
        // 'ſ' is an 's' where case is ignored.
        if (text[1] is 's' or 'ſ' or 't' or 'm' or 'd') return 2;
        return text[1..].StartsWith("re") || text[1..].StartsWith("ve") || text[1..].StartsWith("ll") ? 3 : 0;
    }

    private static int RunLength(string text, int start, Kind kind)
    {
        var end = start;
        while (end < text.Length && KindAt(text, end, out var length) == kind) end += length;
        return end - start;
    }

    private static Kind KindAt(string text, int index, out int length)
    {
        Rune.DecodeFromUtf16(text.AsSpan(index), out var rune, out length);
        if (Rune.IsWhiteSpace(rune)) return Kind.Space;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Number,
            _ => Kind.Symbol,
        };
    }
}
