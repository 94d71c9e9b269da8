using System.Text;
using System.Text.Json;

namespace MvAdapter.Cli;

/// <summary>Lists given as files: one item a line, or a JSON array of texts when the name ends in .json.</summary>
internal static class InputList
{
    /// <summary>Reads the items in order. Empty lines are kept when <paramref name="keepEmpty"/>, as an empty text is a text.</summary>
    /// <exception cref="InvalidFileException">Missing, not UTF-8, or no array of texts.</exception>
    public static List<string> Read(string path, bool keepEmpty = false)
    {
        if (Directory.Exists(path)) throw new InvalidFileException(path, "is a folder; give a file with one item a line");
        if (!File.Exists(path)) throw new InvalidFileException(path, "there is no such file");
        var bytes = File.ReadAllBytes(path);
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            try
            {
                var items = JsonSerializer.Deserialize<List<string?>>(bytes) ?? throw new JsonException("null");
                return [.. items.Select(item => item ?? throw new JsonException("null among the texts"))];
            }
            catch (JsonException e)
            {
                throw new InvalidFileException(path, $"no JSON array of texts ({TextForMessage.Quote(e.Message, 150)})", e);
            }
        }
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InvalidFileException(path, "is not UTF-8 text", e);
        }
        var lines = text.TrimStart('\uFEFF').Split('\n').Select(line => line.TrimEnd('\r')).ToList();
        if (lines.Count > 0 && lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        return keepEmpty ? lines : [.. lines.Where(line => !string.IsNullOrWhiteSpace(line))];
    }
}
