using System.Globalization;
using System.Text;

namespace MvAdapter.Clip;

/// <summary>Reads the tables written by eng/text-tables.py, which are embedded in this assembly.</summary>
internal static class TextTables
{
    /// <summary>The fields of each line of a table, without its comments.</summary>
    public static IEnumerable<string[]> Read(string name)
    {
        using var stream = typeof(TextTables).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"the table {name} is not embedded");
        using var reader = new StreamReader(stream, Encoding.ASCII);
        while (reader.ReadLine() is { } line)
            if (!line.StartsWith('#')) yield return line.Split(' ');
    }

    /// <summary>A number as the tables write code points.</summary>
    public static int CodePoint(string field) => int.Parse(field, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
