using System.Buffers;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>Characters that stand for plainer ones: ligatures, full and half width, curly quotes, odd line breaks.</summary>
internal static class CharacterForms
{
    private const char FirstFullWidth = '\uFF01', LastFullWidth = '\uFF5E', FirstHalfWidth = '\uFF5F';

    /// <summary>What U+FF5F and the characters after it are in normal width; '-' for no other.</summary>
    private const string NormalWidth =
        "\u2985\u2986。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u3099\u309A" +
        "\u1160\u1100\u1101\u11AA\u1102\u11AC\u11AD\u1103\u1104\u1105\u11B0\u11B1\u11B2\u11B3\u11B4\u11B5\u111A\u1106\u1107\u1108\u1121" +
        "\u1109\u110A\u110B\u110C\u110D\u110E\u110F\u1110\u1111\u1112---\u1161\u1162\u1163\u1164\u1165\u1166--" +
        "\u1167\u1168\u1169\u116A\u116B\u116C--\u116D\u116E\u116F\u1170\u1171\u1172--\u1173\u1174\u1175---" +
        "\u00A2\u00A3\u00AC-\u00A6\u00A5\u20A9-\u2502\u2190\u2191\u2192\u2193\u25A0\u25CB";

    private static readonly Dictionary<char, string> Replacements = new()
    {
        ['Ĳ'] = "IJ", ['ĳ'] = "ij", ['ŉ'] = "'n",
        ['Ǳ'] = "DZ", ['ǲ'] = "Dz", ['ǳ'] = "dz", ['Ǆ'] = "DŽ", ['ǅ'] = "Dž", ['ǆ'] = "dž",
        ['Ǉ'] = "LJ", ['ǈ'] = "Lj", ['ǉ'] = "lj", ['Ǌ'] = "NJ", ['ǋ'] = "Nj", ['ǌ'] = "nj",
        ['ﬀ'] = "ff", ['ﬁ'] = "fi", ['ﬂ'] = "fl", ['ﬃ'] = "ffi", ['ﬄ'] = "ffl", ['ﬅ'] = "ſt", ['ﬆ'] = "st",
        ['\u3000'] = " ", ['\uFFE3'] = " \u0304",
        ['\u02BC'] = "'", ['‘'] = "'", ['’'] = "'", ['‚'] = "'", ['‛'] = "'",
        ['“'] = "\"", ['”'] = "\"", ['„'] = "\"", ['‟'] = "\"",
        ['\u2028'] = "\n", ['\u2029'] = "\n", ['\u0085'] = "\n",
    };

    private static readonly SearchValues<char> Replaced = SearchValues.Create(
        [.. Replacements.Keys, .. Enumerable.Range(FirstFullWidth, 0xFFEF - FirstFullWidth).Select(code => (char)code)]);

    /// <summary>The text in plain characters.</summary>
    public static string Simplify(string text)
    {
        if (!text.AsSpan().ContainsAny(Replaced)) return text;
        var builder = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (Replacements.TryGetValue(c, out var plain)) builder.Append(plain);
            else builder.Append(ToNormalWidth(c));
        }
        return builder.ToString();
    }

    private static char ToNormalWidth(char c)
    {
        if (c is >= FirstFullWidth and <= LastFullWidth) return (char)(c - FirstFullWidth + '!');
        return c - FirstHalfWidth is >= 0 and var index && index < NormalWidth.Length && NormalWidth[index] != '-'
            ? NormalWidth[index]
            : c;
    }
}
