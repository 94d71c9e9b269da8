using System.ComponentModel;
using Microsoft.AspNetCore.Mvc;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>What a search may say besides the query and the collection.</summary>
internal record FilterParameters
{
    private const int MostResults = 100;
    private const int UsualResults = 24;
    private const int LongestText = 1000;
    private const int MostOffset = ClipStore.MostResults - MostResults;

    [FromQuery(Name = "k"), Description("Most results, 1 to 100 (by default 24)")]
    public int? Count { get; init; }

    [FromQuery(Name = "offset"), Description("How many of the best to leave out, 0 to 9900: the next page")]
    public int? Offset { get; init; }

    [FromQuery(Name = "folder"), Description("Only videos below this folder")]
    public string? Folder { get; init; }

    [FromQuery(Name = "min_seconds"), Description("Only videos of at least this length")]
    public double? MinSeconds { get; init; }

    [FromQuery(Name = "max_seconds"), Description("Only videos of at most this length")]
    public double? MaxSeconds { get; init; }

    [FromQuery(Name = "after"), Description("Only files changed on this day or later: YYYY-MM-DD (UTC)")]
    public string? After { get; init; }

    [FromQuery(Name = "before"), Description("Only files changed before this day: YYYY-MM-DD (UTC)")]
    public string? Before { get; init; }

    [FromQuery(Name = "tag"), Description("Only videos with this tag")]
    public string? Tag { get; init; }

    [FromQuery(Name = "all_clips"), Description("All clips that fit, several of a video too (by default each video's best)")]
    public bool? AllClips { get; init; }

    [FromQuery(Name = "exact"), Description("Every clip is looked at, also where the index is large enough for an approximate one")]
    public bool? Exact { get; init; }

    /// <summary>The same with everything checked.</summary>
    public SearchScope In(CollectionModelState collection)
    {
        if (Count is < 1 or > MostResults) throw new UsageException($"k must be from 1 to {MostResults}");
        if (Offset is < 0 or > MostOffset) throw new UsageException($"offset must be from 0 to {MostOffset}");
        if (Folder is not null && (Folder.Length is 0 or > LongestText || !Path.IsPathRooted(Folder) || Folder.Contains('\0')))
            throw new UsageException("folder must be an absolute path");
        if (Tag is { Length: > LongestText }) throw new UsageException($"tag may have at most {LongestText} characters");
        return new SearchScope(collection, (Count ?? UsualResults) + (Offset ?? 0), new ClipFilter
        {
            Folder = Folder,
            MinSeconds = MinSeconds,
            MaxSeconds = MaxSeconds,
            After = ClipFilter.ParseTime(After),
            Before = ClipFilter.ParseTime(Before),
            Tag = Tag,
        }, AllClips ?? false, Offset ?? 0, Exact ?? false);
    }

    /// <summary>Numbers with commas between; none where there is nothing.</summary>
    public static HashSet<long> Numbers(string? text) => [.. (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(static part =>
        long.TryParse(part, System.Globalization.CultureInfo.InvariantCulture, out var number) ? number : throw new UsageException("clips are numbers with commas between"))];

    /// <summary>Refuses a query that is empty or too long.</summary>
    public static string CheckWords(string? words) =>
        string.IsNullOrWhiteSpace(words) ? throw new UsageException("q is empty: say what to look for")
        : words.Length > LongestText ? throw new UsageException($"q may have at most {LongestText} characters")
        : words;
}

/// <summary>What a search may say besides the query.</summary>
internal sealed record SearchParameters : FilterParameters
{
    [FromQuery(Name = "like"), Description("Clips of the collection that are examples of what is looked for, with commas between")]
    public string? Like { get; init; }

    [FromQuery(Name = "collection"), Description("The collection's number; needed where there are several")]
    public long? Collection { get; init; }
}
