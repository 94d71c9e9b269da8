using System.Globalization;
using System.Numerics;
using System.Text;

namespace MvAdapter.Checkpoints;

/// <summary>The values that the oldest protocol writes as text.</summary>
internal static class PickleText
{
    // Parsing takes more than linear time, so a long run of digits is refused, as Python itself does.
    private const int MaxDigits = 4300;

    /// <summary>A decimal integer.</summary>
    public static object Integer(string text) =>
        text.Length <= MaxDigits && BigInteger.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? Integer(value)
            : throw new PickleException($"the pickle is damaged: {TextForMessage.Quote(text, 40)} is no integer");

    /// <summary>A long where the integer fits, itself else.</summary>
    public static object Integer(BigInteger value) =>
        value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    /// <summary>Python's repr of a float.</summary>
    public static double Float(string text) => text switch
    {
        "inf" => double.PositiveInfinity,
        "-inf" => double.NegativeInfinity,
        "nan" or "-nan" => double.NaN,
        _ => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new PickleException($"the pickle is damaged: {TextForMessage.Quote(text, 40)} is no number"),
    };

    /// <summary>A quoted Python 2 string with its escapes.</summary>
    public static string Quoted(ReadOnlySpan<byte> line)
    {
        if (line.Length < 2 || line[0] != line[^1] || line[0] is not ((byte)'\'' or (byte)'"'))
            throw new PickleException("the pickle is damaged: a string is not quoted");
        var text = line[1..^1];
        var bytes = new List<byte>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\') bytes.Add(text[i]);
            else if (++i == text.Length) throw new PickleException("the pickle is damaged: a string ends in a backslash");
            else bytes.AddRange(Escape(text, ref i));
        }
        return PickleInput.Text(bytes.ToArray());
    }

    /// <summary>Text in which characters beyond Latin-1 are written as \uXXXX or \UXXXXXXXX.</summary>
    public static string RawUnicode(ReadOnlySpan<byte> line)
    {
        var text = new StringBuilder(line.Length);
        for (var i = 0; i < line.Length; i++)
        {
            var digits = line[i] == '\\' && i + 1 < line.Length ? line[i + 1] switch { (byte)'u' => 4, (byte)'U' => 8, _ => 0 } : 0;
            if (digits == 0)
            {
                text.Append((char)line[i]);
                continue;
            }
            if (Hexadecimal(line[(i + 2)..], digits) is not { } code || code > 0x10FFFF)
                throw new PickleException("the pickle is damaged: a string has a malformed escape");
            if (code > char.MaxValue) text.Append(char.ConvertFromUtf32((int)code));
            else text.Append((char)code);
            i += 1 + digits;
        }
        return text.ToString();
    }

    private static byte[] Escape(ReadOnlySpan<byte> text, ref int i)
    {
        switch (text[i])
        {
            case (byte)'n': return [(byte)'\n'];
            case (byte)'t': return [(byte)'\t'];
            case (byte)'r': return [(byte)'\r'];
            case (byte)'\\' or (byte)'\'' or (byte)'"': return [text[i]];
            case (byte)'x' when Hexadecimal(text[(i + 1)..], 2) is { } code:
                i += 2;
                return [(byte)code];
            case (byte)'x': throw new PickleException("the pickle is damaged: a string has a malformed escape");
            default: return [(byte)'\\', text[i]];
        }
    }

    private static uint? Hexadecimal(ReadOnlySpan<byte> text, int digits) =>
        text.Length >= digits && uint.TryParse(text[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
            ? code
            : null;
}
