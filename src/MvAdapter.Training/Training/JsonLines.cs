using System.Text.Json;

namespace MvAdapter.Training;

/// <summary>
/// A log of one JSON object a line that only grows. Each line reaches the operating system in one piece before
/// <see cref="Append"/> returns, so a killed process loses at most the line it was writing; opening the file again removes
/// such a torn line.
/// </summary>
public sealed class JsonLinesWriter : IDisposable
{
    private readonly FileStream stream;

    /// <summary>Opens or creates a log and makes its end whole.</summary>
    public JsonLinesWriter(string path)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            // No buffer of our own: what is written has left the process.
            stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
            stream.SetLength(JsonLines.WholeLength(stream));
            stream.Seek(0, SeekOrigin.End);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            stream?.Dispose();
            throw new InvalidFileException(path, $"cannot be opened for appending: {TextForMessage.Quote(error.Message)}", error);
        }
    }

    /// <summary>Adds one line.</summary>
    public void Append<T>(T value) => stream.Write([.. JsonSerializer.SerializeToUtf8Bytes(value, JsonLines.Options), (byte)'\n']);

    /// <summary>Closes the log.</summary>
    public void Dispose() => stream.Dispose();
}

/// <summary>Reads logs that <see cref="JsonLinesWriter"/> writes.</summary>
public static class JsonLines
{
    private const long LongestFile = 1L << 30;

    internal static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    /// <summary>All lines of a log, which may be growing: a line that has no end yet is left out.</summary>
    public static IReadOnlyList<T> Read<T>(string path)
    {
        var lines = new List<T>();
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var length = WholeLength(stream);
            if (length > LongestFile) throw new InvalidFileException(path, "is too large for a log: more than 1 GiB");
            var bytes = new byte[length];
            stream.Position = 0;
            stream.ReadExactly(bytes);
            for (var rest = bytes.AsSpan(); rest.Length > 0;)
            {
                var end = rest.IndexOf((byte)'\n');
                lines.Add(JsonSerializer.Deserialize<T>(rest[..end], Options) ?? throw new JsonException("null is no entry"));
                rest = rest[(end + 1)..];
            }
        }
        catch (JsonException error)
        {
            throw new InvalidFileException(
                path, $"line {lines.Count + 1} is not an entry of this log: {TextForMessage.Quote(error.Message)}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(error.Message)}", error);
        }
        return lines;
    }

    /// <summary>The length of a log up to the end of its last whole line.</summary>
    internal static long WholeLength(FileStream stream)
    {
        var block = new byte[64 << 10];
        for (var end = stream.Length; end > 0;)
        {
            var start = Math.Max(0, end - block.Length);
            var part = block.AsSpan(0, (int)(end - start));
            stream.Position = start;
            stream.ReadExactly(part);
            var newLine = part.LastIndexOf((byte)'\n');
            if (newLine >= 0) return start + newLine + 1;
            end = start;
        }
        return 0;
    }
}
