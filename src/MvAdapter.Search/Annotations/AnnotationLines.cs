using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MvAdapter.Search;

/// <summary>Annotations as lines of JSON. Those of pairs are a caption file that training and evaluation read.</summary>
public static class AnnotationLines
{
    private static readonly JsonSerializerOptions Json = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>An annotation as a line.</summary>
    /// <param name="annotation">What was said.</param>
    /// <param name="path">Where the video is now.</param>
    /// <param name="whole">Whether all is told of it, as a copy of it needs, and not the pair alone.</param>
    public static string Write(ClipAnnotation annotation, string path, bool whole)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        return JsonSerializer.Serialize(new Line
        {
            Video = path,
            Caption = annotation.Text,
            Start = annotation.Span.Start,
            End = annotation.Span.End,
            Kind = whole ? ClipAnnotation.Name(annotation.Kind) : null,
            Token = whole ? annotation.Token : null,
            Hash = whole ? annotation.Hash : null,
            Who = whole && annotation.Who.Length > 0 ? annotation.Who : null,
            At = whole ? annotation.At.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) : null,
        }, Json);
    }

    /// <summary>Reads a file of such lines, each to what it says of a video.</summary>
    /// <param name="file">The file.</param>
    /// <param name="find">Finds a video of the index by the path, or the hash, that a line gives; null when it is not there.</param>
    /// <param name="missing">Told of the videos that are not there.</param>
    /// <exception cref="InvalidFileException">A line is malformed; its number is told.</exception>
    public static IReadOnlyList<ClipAnnotation> Read(string file, Func<string, string?, VideoEntry?> find, Action<string> missing)
    {
        ArgumentNullException.ThrowIfNull(find);
        ArgumentNullException.ThrowIfNull(missing);
        var found = new List<ClipAnnotation>();
        var number = 0;
        foreach (var text in ReadLines(file))
        {
            number++;
            if (string.IsNullOrWhiteSpace(text)) continue;
            try
            {
                var line = JsonSerializer.Deserialize<Line>(text, Json) ?? throw new JsonException("no object");
                if (string.IsNullOrEmpty(line.Video)) throw new UsageException("no video");
                if (find(line.Video, line.Hash) is not { } video) missing(line.Video);
                else found.Add(line.ToAnnotation(video).Checked());
            }
            catch (Exception e) when (e is JsonException or MvAdapterException or FormatException)
            {
                throw new InvalidFileException(file, $"line {number}: {TextForMessage.Quote(e.Message, 200)}", e);
            }
        }
        return found;
    }

    private static IEnumerable<string> ReadLines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(file, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    private sealed record Line
    {
        [JsonPropertyName("video")] public string? Video { get; init; }

        [JsonPropertyName("caption")] public string? Caption { get; init; }

        [JsonPropertyName("start")] public double? Start { get; init; }

        [JsonPropertyName("end")] public double? End { get; init; }

        [JsonPropertyName("kind")] public string? Kind { get; init; }

        [JsonPropertyName("token")] public string? Token { get; init; }

        [JsonPropertyName("hash")] public string? Hash { get; init; }

        [JsonPropertyName("who")] public string? Who { get; init; }

        [JsonPropertyName("at")] public string? At { get; init; }

        public ClipAnnotation ToAnnotation(VideoEntry video)
        {
            var annotation = new ClipAnnotation(Token ?? ClipAnnotation.NewToken(), Kind is null ? AnnotationKind.Caption : ClipAnnotation.Parse(Kind), video.Hash, video.Path,
                new ClipSpan(Start ?? 0, End ?? video.Duration), ClipAnnotation.Clean(Caption)) { Who = Who ?? "" };
            return At is null ? annotation : annotation with { At = DateTime.Parse(At, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal) };
        }
    }
}
