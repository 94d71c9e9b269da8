using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// Where the pictures of one clip lie, and which frames they are. In the index it is one line: the checksum of the rest,
/// a space, JSON; so that a damaged line is known as such and costs no other.
/// </summary>
internal sealed record FrameRecord(string Key, int Shard, long Offset, int Length, uint Checksum, double FramesPerSecond, int[] Frames)
{
    /// <summary>No line is longer, however many frames it names.</summary>
    public const int MaxLine = 1 << 16;

    private const int ChecksumDigits = 8;

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>The byte of the shard that follows the pictures.</summary>
    [JsonIgnore]
    public long End => Offset + Length;

    /// <summary>The record as a line, newline included.</summary>
    public byte[] ToLine()
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(this, Json);
        return [.. Encoding.ASCII.GetBytes(Crc32C.Of(json).ToString("x8", CultureInfo.InvariantCulture)), (byte)' ', .. json, (byte)'\n'];
    }

    /// <summary>Reads a line without its newline; null when it is damaged.</summary>
    public static FrameRecord? Parse(ReadOnlySpan<byte> line)
    {
        if (line.Length <= ChecksumDigits || line[ChecksumDigits] != ' ') return null;
        if (!uint.TryParse(line[..ChecksumDigits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var checksum)) return null;
        var json = line[(ChecksumDigits + 1)..];
        if (Crc32C.Of(json) != checksum) return null;
        try
        {
            return JsonSerializer.Deserialize<FrameRecord>(json, Json) is { } record && record.IsSound() ? record : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // Every value may be anything: a checksum is easily made to fit.
    private bool IsSound() => Key.Length == FrameCacheKeys.Length
        && Shard is >= 0 and < FrameShards.MaxShards && Offset is >= 0 and <= long.MaxValue - int.MaxValue
        && Length > 0 && Length <= Array.MaxLength
        && double.IsFinite(FramesPerSecond) && FramesPerSecond > 0
        && Frames.Length is > 0 and <= FrameSampling.MaxFramesLimit && Frames.All(frame => frame >= 0);
}
