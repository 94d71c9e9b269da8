using System.Globalization;
using CsvHelper;

namespace MvAdapter.Datasets;

/// <summary>A CSV file with a header line; a file named <c>.tsv</c> is separated by tabs.</summary>
internal sealed class CsvTable
{
    private const int MaxRecordBytes = 1 << 20;

    private readonly string path;
    private readonly List<string> header;

    private CsvTable(string path, List<string> header) => (this.path, this.header) = (path, header);

    /// <summary>The records, in the file's order.</summary>
    public IReadOnlyList<Row> Rows { get; private set; } = [];

    /// <summary>Reads a file that must have the given columns and may have others.</summary>
    public static CsvTable Read(string path, params ReadOnlySpan<string> required)
    {
        using var stream = AnnotationFile.Open(path);
        using var reader = CsvReader.Create(stream, new CsvReaderOptions
        {
            Separator = Path.GetExtension(path).Equals(".tsv", StringComparison.OrdinalIgnoreCase) ? '\t' : ',',
            SkipEmptyLines = false,
            MaxRecordSize = MaxRecordBytes,
            TrackLineNumbers = true,
            MalformedData = CsvMalformedDataHandling.Throw,
        });
        try
        {
            reader.ReadHeader();
            if (reader.Headers.Count == 0) throw new InvalidFileException(path, "is empty");
            var table = new CsvTable(path, [.. reader.Headers.Select(name => name.Trim())]);
            foreach (var column in required)
                if (!table.Has(column))
                    throw new InvalidFileException(path, $"line 1: no column '{column}' in the header");
            table.Rows = [.. table.ReadRows(reader)];
            return table;
        }
        catch (CsvFormatException e)
        {
            throw new InvalidFileException(path, $"line {e.LineNumber}: not valid CSV: a quote is not closed or not doubled", e);
        }
    }

    /// <summary>Whether the header names the column.</summary>
    public bool Has(string column) => header.Contains(column);

    private IEnumerable<Row> ReadRows(CsvReader reader)
    {
        var blank = 0;
        while (reader.Read())
        {
            var line = (int)reader.LineNumber;
            if (reader.FieldCount <= 1 && string.IsNullOrWhiteSpace(reader.GetString(0)))
            {
                if (blank == 0) blank = line;
                continue;
            }
            if (blank > 0) throw AnnotationFile.EmptyLine(path, blank);
            if (reader.FieldCount != header.Count)
                throw new InvalidFileException(path,
                    $"line {line} has {reader.FieldCount} fields where the header has {header.Count}");
            yield return new Row(this, line, [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetString)]);
        }
    }

    /// <summary>One record.</summary>
    public readonly struct Row(CsvTable table, int line, string[] fields)
    {
        /// <summary>Where the record starts in the file, counted from 1.</summary>
        public int Line => line;

        /// <summary>The field, or null where the file has no such column or nothing in it.</summary>
        public string? Find(string column)
        {
            var index = table.header.IndexOf(column);
            return index < 0 || string.IsNullOrWhiteSpace(fields[index]) ? null : fields[index].Trim();
        }

        /// <summary>A field that must not be blank.</summary>
        public string this[string column] =>
            Find(column) ?? throw new InvalidFileException(table.path, $"line {line}, field {column}: empty");

        /// <summary>A number, or null where there is none.</summary>
        public double? FindNumber(string column)
        {
            if (Find(column) is not { } text) return null;
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                ? value
                : throw new InvalidFileException(table.path,
                    $"line {line}, field {column}: '{TextForMessage.Quote(text, 40)}' is not a number");
        }
    }
}
