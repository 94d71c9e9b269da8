using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MvAdapter.Clip;

/// <summary>
/// What CLIP does to a text before it is split into tokens: damaged characters mended (as the ftfy library does),
/// HTML unescaped twice, white space folded, lower-cased. A caption cleaned otherwise gets other tokens
/// than those the model was trained on.
/// </summary>
public static partial class TextCleaner
{
    /// <summary>Enough for any text that was not made to nest references without end.</summary>
    private const int MostRounds = 8;

    /// <summary>The text as the tokenizer sees it.</summary>
    public static string Clean(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!IsPlain(text))
        {
            text = string.Join('\n', text.Split('\n').Select(Mend));
            text = HtmlEntities.Unescape(HtmlEntities.Unescape(text));
        }
        return ToLower(FoldWhiteSpace(text));
    }

    /// <summary>Most captions are ASCII without an ampersand: there is nothing to mend in them.</summary>
    private static bool IsPlain(string text)
    {
        foreach (var c in text)
            if (c is > '~' or '&' || (c < ' ' && c is not ('\t' or '\n' or '\r' or '\f'))) return false;
        return true;
    }

    private static string Mend(string line)
    {
        // In a line of markup the references are there to protect it.
        var unescape = !line.Contains('<');
        for (var round = 0; round < MostRounds; round++)
        {
            var mended = MendOnce(unescape ? HtmlEntities.UnescapeClosed(line) : line);
            if (mended == line) break;
            line = mended;
        }
        return line;
    }

    private static string MendOnce(string line)
    {
        line = Mojibake.MendControls(Mojibake.Mend(line));
        line = CharacterForms.Simplify(line);
        line = TerminalEscape().Replace(line, "");
        line = ControlCharacter().Replace(line, "");
        return CanonicalForm.Compose(line);
    }

    private static string FoldWhiteSpace(string text)
    {
        var builder = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!char.IsWhiteSpace(c)) builder.Append(c);
            else if (builder.Length > 0 && builder[^1] != ' ') builder.Append(' ');
        }
        if (builder.Length > 0 && builder[^1] == ' ') builder.Length--;
        return builder.ToString();
    }

    /// <summary>ToLowerInvariant maps one character to one; Unicode has two exceptions, İ and a Σ that ends a word.</summary>
    private static string ToLower(string text)
    {
        if (text.Contains('Σ'))
        {
            text = string.Create(text.Length, text, static (span, source) =>
            {
                for (var i = 0; i < span.Length; i++) span[i] = source[i] == 'Σ' && EndsWord(source, i) ? 'ς' : source[i];
            });
        }
        return text.Replace("İ", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();
    }

    private static bool EndsWord(string text, int index)
    {
        int before = index - 1, after = index + 1;
        while (before >= 0 && IsIgnoredByCase(text, before)) before--;
        while (after < text.Length && IsIgnoredByCase(text, after)) after++;
        return before >= 0 && IsCased(text, before) && !(after < text.Length && IsCased(text, after));
    }

    private static bool IsCased(string text, int index) => CharUnicodeInfo.GetUnicodeCategory(text, index)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool IsIgnoredByCase(string text, int index) =>
        text[index] is '\'' or '.' or ':' or '·' or '‘' or '’' or '^' or '`' || CharUnicodeInfo.GetUnicodeCategory(text, index)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    [GeneratedRegex(@"\x1B\[[0-9;]*[a-zA-Z]")]
    private static partial Regex TerminalEscape();

    [GeneratedRegex(@"[\x00-\x08\x0B\x0E-\x1F\x7F\u206A-\u206F\uFEFF\uFFF9-\uFFFC]")]
    private static partial Regex ControlCharacter();
}
