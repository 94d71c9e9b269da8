using System.Text.Encodings.Web;
using System.Text.Json;
using MvAdapter.Files;

namespace MvAdapter.Evaluation;

/// <summary>A JSON array of <see cref="RetrievalReport"/>, at most one for each method and seed.</summary>
public static class ResultsFile
{
    private const long LargestFile = 256L << 20;

    internal static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads all results of a file.</summary>
    public static IReadOnlyList<RetrievalReport> Read(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > LargestFile)
                throw new InvalidFileException(path, $"is larger than {Units.Bytes(LargestFile)}, so no results file");
            var reports = JsonSerializer.Deserialize<RetrievalReport?[]>(stream, Json);
            if (reports is null || Array.Exists(reports, report => report is null))
                throw new InvalidFileException(path, "is not a JSON array of results");
            return reports!;
        }
        catch (JsonException error)
        {
            throw new InvalidFileException(path, $"is not a JSON array of results: {FirstLine(error.Message)}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {FirstLine(error.Message)}", error);
        }
    }

    /// <summary>Writes results; whoever reads meanwhile sees the old file or the new one, never a part.</summary>
    public static void Write(string path, IEnumerable<RetrievalReport> reports)
    {
        ArgumentNullException.ThrowIfNull(reports);
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        AtomicFile.WriteText(path, ToJson(reports) + "\n");
    }

    /// <summary>The JSON array.</summary>
    public static string ToJson(IEnumerable<RetrievalReport> reports) => JsonSerializer.Serialize(reports, Json);

    /// <summary>Adds results to a file, which need not exist; a result of the same method and seed is replaced.</summary>
    public static void Merge(string path, IEnumerable<RetrievalReport> reports) =>
        Write(path, Merge(File.Exists(path) ? Read(path) : [], reports));

    /// <summary>The results of both; the later of the same method and seed stands in the earlier's place.</summary>
    public static IReadOnlyList<RetrievalReport> Merge(
        IEnumerable<RetrievalReport> earlier, IEnumerable<RetrievalReport> later)
    {
        var merged = new OrderedDictionary<(string, long), RetrievalReport>();
        foreach (var report in earlier.Concat(later)) merged[(report.Method, report.Seed)] = report;
        return [.. merged.Values];
    }

    private static string FirstLine(string message) => TextForMessage.Quote(message.Split('\n')[0].TrimEnd());
}
