using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// HTML character references, as the HTML 5 standard and Python's html.unescape read them:
/// legacy names need no semicolon, and the numbers 128 to 159 mean windows-1252.
/// </summary>
internal static class HtmlEntities
{
    private const int LongestName = 33;
    private const int LongestClosedName = 24;

    private static readonly Dictionary<string, string> Named = TextTables.Read("HtmlEntities.txt").ToDictionary(
        fields => fields[0],
        fields => string.Concat(fields.Skip(1).Select(TextTables.CodePoint).Select(char.ConvertFromUtf32)));

    private static readonly Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> Names =
        Named.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Replaces every reference, as a browser would.</summary>
    public static string Unescape(string text) => Replace(text, Match);

    /// <summary>
    /// Replaces only what cannot be meant otherwise: references that end with a semicolon.
    /// Names in capitals (<c>&amp;EACUTE;</c>, after somebody changed the case) count too.
    /// </summary>
    public static string UnescapeClosed(string text) => Replace(text, MatchClosed);

    /// <summary>What a reference after an ampersand stands for, and its length; 0 for none.</summary>
    private delegate int Matcher(ReadOnlySpan<char> text, out string replacement);

    private static string Replace(string text, Matcher match)
    {
        var ampersand = text.IndexOf('&', StringComparison.Ordinal);
        if (ampersand < 0) return text;
        var builder = new StringBuilder(text.Length);
        var copied = 0;
        while (ampersand >= 0)
        {
            var length = match(text.AsSpan(ampersand + 1), out var replacement);
            if (length > 0)
            {
                builder.Append(text, copied, ampersand - copied).Append(replacement);
                copied = ampersand + 1 + length;
            }
            ampersand = text.IndexOf('&', ampersand + 1 + length);
        }
        return builder.Append(text, copied, text.Length - copied).ToString();
    }

    private static int Match(ReadOnlySpan<char> text, out string replacement)
    {
        if (text.StartsWith('#')) return MatchNumber(text, out replacement);
        for (var length = Math.Min(text.Length, LongestName); length > 1; length--)
            if (Names.TryGetValue(text[..length], out replacement!)) return length;
        replacement = "";
        return 0;
    }

    private static int MatchClosed(ReadOnlySpan<char> text, out string replacement)
    {
        replacement = "";
        var semicolon = text[..Math.Min(text.Length, LongestClosedName + 2)].IndexOf(';');
        if (semicolon < 0) return 0;
        var reference = text[..(semicolon + 1)];
        if (reference[0] == '#')
        {
            // A reference to the semicolon itself is left to Unescape.
            return MatchNumber(reference, out replacement) == reference.Length && replacement != ";" ? reference.Length : 0;
        }
        if (Names.TryGetValue(reference, out replacement!)) return reference.Length;
        var isUpper = !reference.ContainsAnyInRange('a', 'z') && Match(reference, out _) == 0;
        return isUpper && Named.TryGetValue(reference.ToString().ToLowerInvariant(), out replacement!) ? reference.Length : 0;
    }

    private static int MatchNumber(ReadOnlySpan<char> text, out string replacement)
    {
        replacement = "";
        var isHexadecimal = text.Length > 1 && text[1] is 'x' or 'X';
        var start = isHexadecimal ? 2 : 1;
        var end = start;
        var code = 0;
        for (; end < text.Length && IsDigit(text[end], isHexadecimal); end++)
        {
            var digit = char.IsAsciiDigit(text[end]) ? text[end] - '0' : (text[end] | 0x20) - 'a' + 10;
            code = Math.Min(code * (isHexadecimal ? 16 : 10) + digit, 0x110000);
        }
        if (end == start) return 0;
        replacement = FromNumber(code);
        return end < text.Length && text[end] == ';' ? end + 1 : end;
    }

    private static bool IsDigit(char c, bool isHexadecimal) =>
        isHexadecimal ? char.IsAsciiHexDigit(c) : char.IsAsciiDigit(c);

    private static string FromNumber(int code) => code switch
    {
        0 or > 0x10FFFF or (>= 0xD800 and <= 0xDFFF) => "\uFFFD",
        >= 0x80 and <= 0x9F => Windows1252.ToChar((byte)code).ToString(),
        (>= 0x01 and <= 0x08) or 0x0B or (>= 0x0E and <= 0x1F) or 0x7F or (>= 0xFDD0 and <= 0xFDEF) => "",
        _ when (code & 0xFFFE) == 0xFFFE => "",
        _ => char.ConvertFromUtf32(code),
    };
}
