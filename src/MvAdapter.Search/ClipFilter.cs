using System.Globalization;

namespace MvAdapter.Search;

/// <summary>Which videos a search looks at; what is null does not matter.</summary>
public sealed record ClipFilter
{
    private static readonly string[] TimeForms = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss'Z'"];
    private readonly string? folder;
    private readonly double? minSeconds;
    private readonly double? maxSeconds;

    /// <summary>Videos below this folder; made absolute.</summary>
    public string? Folder
    {
        get => folder;
        init => folder = value is null ? null : System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(value));
    }

    /// <summary>Videos of at least so many seconds.</summary>
    public double? MinSeconds { get => minSeconds; init => minSeconds = Length(value); }

    /// <summary>Videos of at most so many seconds.</summary>
    public double? MaxSeconds { get => maxSeconds; init => maxSeconds = Length(value); }

    /// <summary>Videos whose file was changed at this time or later (UTC).</summary>
    public DateTime? After { get; init; }

    /// <summary>Videos whose file was changed before this time (UTC).</summary>
    public DateTime? Before { get; init; }

    /// <summary>Videos with this tag.</summary>
    public string? Tag { get; init; }

    /// <summary>Whether it lets every video pass.</summary>
    public bool IsEmpty => this == new ClipFilter();

    /// <summary>Reads a time as people write it; null for null.</summary>
    /// <exception cref="UsageException">It is none.</exception>
    public static DateTime? ParseTime(string? text) => text is null ? null
        : DateTime.TryParseExact(text, TimeForms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time) ? time
        : throw new UsageException($"'{TextForMessage.Quote(text, 40)}' is no date; write YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS (UTC)");

    /// <summary>Whether a video passes.</summary>
    public bool Allows(VideoEntry video) =>
        (Folder is not { } prefix || IsBelow(video.Path, prefix))
        && !(video.Duration < MinSeconds) && !(video.Duration > MaxSeconds)
        && !(video.Modified < After) && !(video.Modified >= Before)
        && (Tag is not { } tag || video.Tags.Contains(tag, StringComparer.Ordinal));

    private static double? Length(double? seconds) => seconds is null or >= 0 ? seconds
        : throw new UsageException($"a video's length is 0 seconds or more, not {seconds.Value.ToString(CultureInfo.InvariantCulture)}");

    private static bool IsBelow(string path, string folder) =>
        path.StartsWith(folder, StringComparison.Ordinal) && (folder == "/" || (path.Length > folder.Length && path[folder.Length] == '/'));
}
