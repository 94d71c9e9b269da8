using System.Buffers;
using System.Globalization;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// Unicode's canonical composition (NFC). string.Normalize leaves text unchanged under invariant globalization,
/// and an ICU library of whatever version the machine has would make embeddings depend on the machine.
/// </summary>
internal static class CanonicalForm
{
    private const int HangulSyllables = 0xAC00, LeadingJamo = 0x1100, VowelJamo = 0x1161, TrailingJamo = 0x11A7;
    private const int Leading = 19, Vowels = 21, Trailing = 28;

    private static readonly Dictionary<int, int[]> Decompositions = [];
    private static readonly Dictionary<(int, int), int> Compositions = [];
    private static readonly Dictionary<int, int> CombiningClasses = [];

    /// <summary>Text without any of these is composed already, which is nearly every text.</summary>
    private static readonly SearchValues<char> MayChange;

    static CanonicalForm()
    {
        foreach (var fields in TextTables.Read("CanonicalForms.txt"))
        {
            if (fields[0] == "c")
            {
                var combiningClass = int.Parse(fields[3], CultureInfo.InvariantCulture);
                for (var code = TextTables.CodePoint(fields[1]); code <= TextTables.CodePoint(fields[2]); code++)
                    CombiningClasses.Add(code, combiningClass);
                continue;
            }
            var parts = fields[2..].Select(TextTables.CodePoint).ToArray();
            Decompositions.Add(TextTables.CodePoint(fields[1]), parts);
            if (fields[0] == "=") Compositions.Add((parts[0], parts[1]), TextTables.CodePoint(fields[1]));
        }

        var composed = Compositions.Values.ToHashSet();
        MayChange = SearchValues.Create(
        [
            .. Decompositions.Keys.Where(code => !composed.Contains(code))
                .Concat(Compositions.Keys.Select(pair => pair.Item2))
                .Concat(CombiningClasses.Keys)
                .Concat(Enumerable.Range(VowelJamo, Vowels))
                .Concat(Enumerable.Range(TrailingJamo, Trailing))
                .Concat(Enumerable.Range(0xD800, 0x800))
                .Where(code => code <= char.MaxValue)
                .Select(code => (char)code),
        ]);
    }

    /// <summary>The composed form; lone surrogates become U+FFFD.</summary>
    public static string Compose(string text)
    {
        if (!text.AsSpan().ContainsAny(MayChange)) return text;
        var codes = new List<int>(text.Length + 8);
        foreach (var rune in text.EnumerateRunes()) Decompose(rune.Value, codes);
        OrderMarks(codes);
        return ToString(Compose(codes));
    }

    private static void Decompose(int code, List<int> codes)
    {
        if (code - HangulSyllables is >= 0 and < Leading * Vowels * Trailing and var syllable)
        {
            codes.Add(LeadingJamo + syllable / (Vowels * Trailing));
            codes.Add(VowelJamo + syllable / Trailing % Vowels);
            if (syllable % Trailing is > 0 and var trailing) codes.Add(TrailingJamo + trailing);
        }
        else if (Decompositions.TryGetValue(code, out var parts))
        {
            foreach (var part in parts) Decompose(part, codes);
        }
        else
        {
            codes.Add(code);
        }
    }

    /// <summary>Sorts each run of combining marks by class, keeping the order of equals.</summary>
    private static void OrderMarks(List<int> codes)
    {
        for (var start = 0; start < codes.Count; start++)
        {
            var end = start;
            while (end < codes.Count && ClassOf(codes[end]) != 0) end++;
            if (end - start > 1)
            {
                var sorted = codes.GetRange(start, end - start).OrderBy(ClassOf).ToList();
                for (var i = 0; i < sorted.Count; i++) codes[start + i] = sorted[i];
            }
            start = end;
        }
    }

    private static List<int> Compose(List<int> codes)
    {
        var composed = new List<int>(codes.Count);
        int starter = -1, previousClass = 0;
        foreach (var code in codes)
        {
            var combiningClass = ClassOf(code);
            // A mark of the same or a higher class between the two blocks them.
            var reachable = starter >= 0 && (starter == composed.Count - 1 || previousClass < combiningClass);
            if (reachable && TryCompose(composed[starter], code, out var pair))
            {
                composed[starter] = pair;
                continue;
            }
            if (combiningClass == 0) starter = composed.Count;
            previousClass = combiningClass;
            composed.Add(code);
        }
        return composed;
    }

    private static bool TryCompose(int first, int second, out int composed)
    {
        if (first - LeadingJamo is >= 0 and < Leading and var leading
            && second - VowelJamo is >= 0 and < Vowels and var vowel)
        {
            composed = HangulSyllables + (leading * Vowels + vowel) * Trailing;
            return true;
        }
        if (first - HangulSyllables is >= 0 and < Leading * Vowels * Trailing and var syllable && syllable % Trailing == 0
            && second - TrailingJamo is > 0 and < Trailing and var trailing)
        {
            composed = first + trailing;
            return true;
        }
        return Compositions.TryGetValue((first, second), out composed);
    }

    private static int ClassOf(int code) => CombiningClasses.GetValueOrDefault(code);

    private static string ToString(List<int> codes)
    {
        var builder = new StringBuilder(codes.Count);
        foreach (var code in codes) builder.Append(new Rune(code));
        return builder.ToString();
    }
}
