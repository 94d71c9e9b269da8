using System.Globalization;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// Mends text that was UTF-8 but was read as windows-1252 or Latin-1 ("Ã©" for "é"), once or several times over.
/// Correct text can look like that too ("Brontë…”" is three bytes of valid UTF-8), so a sequence is mended only where
/// no writer would have put those characters side by side, or where the whole line agrees with one that is.
/// </summary>
internal static class Mojibake
{
    private const int MostRounds = 8;

    /// <summary>Punctuation that correctly follows a letter: it is no sign of damage.</summary>
    private const string Closing = "\u00A0»”’›…–—™®©“‘\u00B4";

    /// <summary>The mended line, or the same string when nothing convinces.</summary>
    public static string Mend(string line)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var mended = MendOnce(line);
            if (mended == line) break;
            line = mended;
        }
        return line;
    }

    /// <summary>Characters from C1 (U+0080 to U+009F) that were windows-1252.</summary>
    public static string MendControls(string text) =>
        !text.AsSpan().ContainsAnyInRange('\u0080', '\u009F')
            ? text
            : string.Create(text.Length, text, static (span, source) =>
            {
                for (var i = 0; i < span.Length; i++)
                    span[i] = source[i] <= 0xFF ? Windows1252.ToChar((byte)source[i]) : source[i];
            });

    /// <summary>Neighbouring characters that together are valid UTF-8.</summary>
    private readonly record struct Run(int Start, int Length, string Text, bool Convinces);

    private static string MendOnce(string line)
    {
        if (Ascii.IsValid(line)) return line;
        var runs = FindRuns(line);
        if (!runs.Exists(run => run.Convinces)) return line;
        var agrees = runs.Sum(run => run.Length) == line.Count(c => !char.IsAscii(c));
        var builder = new StringBuilder(line.Length);
        var copied = 0;
        foreach (var run in runs)
        {
            if (!agrees && !run.Convinces) continue;
            builder.Append(line, copied, run.Start - copied).Append(run.Text);
            copied = run.Start + run.Length;
        }
        return builder.Append(line, copied, line.Length - copied).ToString();
    }

    private static List<Run> FindRuns(string line)
    {
        var runs = new List<Run>();
        var text = new StringBuilder();
        for (var start = 0; start < line.Length;)
        {
            text.Clear();
            var end = start;
            var sequences = 0;
            var convinces = false;
            while (TryDecode(line, end, out var rune, out var length))
            {
                convinces |= Convinces(line, end, length);
                text.Append(rune);
                end += length;
                sequences++;
            }
            if (sequences > 0) runs.Add(new Run(start, end - start, text.ToString(), convinces || sequences > 1));
            start = Math.Max(end, start + 1);
        }
        return runs;
    }

    private static bool TryDecode(string line, int start, out Rune rune, out int length)
    {
        Span<byte> bytes = stackalloc byte[4];
        var count = 0;
        while (count < bytes.Length && start + count < line.Length && Windows1252.ToByte(line[start + count]) is >= 0x80 and var value)
            bytes[count++] = (byte)value;
        var status = Rune.DecodeFromUtf8(bytes[..count], out rune, out length);
        return status == System.Buffers.OperationStatus.Done
            && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.OtherNotAssigned or UnicodeCategory.PrivateUse);
    }

    /// <summary>Whether the sequence by itself is damage rather than writing.</summary>
    private static bool Convinces(string line, int start, int length)
    {
        var sequence = line.AsSpan(start, length);
        if (length == 4 || sequence.ContainsAnyInRange('\u0080', '\u009F') || sequence.StartsWith("â€")) return true;
        return length == 2 ? PairConvinces(line, start) : TripleConvinces(line, start);
    }

    /// <summary>A capital letter (or ß, ×) and one more character.</summary>
    private static bool PairConvinces(string line, int start)
    {
        char lead = line[start], follower = line[start + 1];
        if (lead is '×' or 'ß') return false;
        if (follower is 'Ÿ' || (start > 0 && char.IsLower(line[start - 1]))) return true;
        var next = start + 2 < line.Length ? line[start + 2] : ' ';
        if (Closing.Contains(follower)) return lead is 'Â' or 'Ã' && (follower is '\u00A0' or '©' or '®' || char.IsLetter(next));
        return lead is 'Â' or 'Ã' || !char.IsLetter(follower) || char.IsLower(next);
    }

    /// <summary>A small accented letter and two more characters.</summary>
    private static bool TripleConvinces(string line, int start)
    {
        char second = line[start + 1], third = line[start + 2];
        if (line[start] == 'â') return !Closing.Contains(second);
        if (IsOdd(second) && IsOdd(third)) return true;
        var followsLetter = start > 0 && char.IsLetter(line[start - 1]);
        return !followsLetter && (IsOdd(second) || (IsOdd(third) && second != '\u00A0'));
    }

    /// <summary>Neither a letter nor something that may close a word.</summary>
    private static bool IsOdd(char c) => !char.IsLetter(c) && !Closing.Contains(c);
}
