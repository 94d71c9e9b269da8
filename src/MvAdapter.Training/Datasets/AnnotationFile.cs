using System.Text.Json;
using System.Text.RegularExpressions;

namespace MvAdapter.Datasets;

/// <summary>Reads annotation files with errors that name the file, the line and the field.</summary>
internal static partial class AnnotationFile
{
    // The largest official file has about 30 MB; anything near this size is something else.
    private const long MaxBytes = 1L << 30;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>A whole JSON file.</summary>
    public static T ReadJson<T>(string path) where T : class
    {
        using var stream = Open(path);
        try
        {
            return JsonSerializer.Deserialize<T>(stream, Json) ?? throw new InvalidFileException(path, "holds only null");
        }
        catch (JsonException e)
        {
            throw Malformed(path, e.LineNumber + 1, e);
        }
    }

    /// <summary>One line of a JSONL file.</summary>
    public static T ReadJsonLine<T>(string path, int line, string text) where T : struct
    {
        try
        {
            return JsonSerializer.Deserialize<T>(text, Json);
        }
        catch (JsonException e)
        {
            throw Malformed(path, line, e);
        }
    }

    /// <summary>The numbered lines of a text file; blank ones may stand only at its end.</summary>
    public static IEnumerable<(int Number, string Text)> ReadLines(string path)
    {
        using var reader = new StreamReader(Open(path));
        int number = 0, blank = 0;
        while (reader.ReadLine() is { } text)
        {
            number++;
            if (string.IsNullOrWhiteSpace(text))
            {
                if (blank == 0) blank = number;
                continue;
            }
            if (blank > 0) throw EmptyLine(path, blank);
            yield return (number, text);
        }
        if (number == 0 || blank == 1) throw new InvalidFileException(path, "is empty");
    }

    /// <summary>The error of a blank line where a record should stand.</summary>
    public static InvalidFileException EmptyLine(string path, int line) =>
        new(path, $"line {line} is empty: remove it or fill it");

    /// <summary>The file of that name in a dataset's folder.</summary>
    public static string In(string folder, string name)
    {
        if (!Directory.Exists(folder))
            throw new InvalidFileException(folder, "is not a folder: name the one that holds the dataset's annotation files");
        return Path.Combine(folder, name);
    }

    /// <summary>Opens a file for reading.</summary>
    public static FileStream Open(string path)
    {
        try
        {
            var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
            if (stream.Length <= MaxBytes) return stream;
            stream.Dispose();
            throw new InvalidFileException(path, "is larger than 1 GiB: this is no annotation file");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidFileException(path, "does not exist; put the dataset's official annotation file there", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    private static InvalidFileException Malformed(string path, long? line, JsonException e)
    {
        var field = e.Path is { Length: > 1 } at ? $", field {TextForMessage.Quote(at.TrimStart('$').TrimStart('.'), 80)}" : "";
        var reason = e.InnerException is JsonException syntax ? $"not valid JSON: {Sentence(syntax.Message)}"
            : MissingProperties().Match(e.Message) is { Success: true } missing ? $"lacks {missing.Groups[1].Value.TrimEnd('.')}"
            : "missing, null or of the wrong kind";
        return new InvalidFileException(path, $"line {line}{field}: {reason}", e);
    }

    // The position that the message ends with counts lines from zero, and would contradict ours.
    private static string Sentence(string message) =>
        TextForMessage.Quote(message.Split(" LineNumber:")[0].TrimEnd('.', ' '), 160);

    [GeneratedRegex("missing required properties including: (.*)")]
    private static partial Regex MissingProperties();
}
