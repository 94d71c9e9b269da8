using CsvHelper;

namespace MvAdapter.Evaluation;

/// <summary>A video that a query found.</summary>
/// <param name="Id">The video's name.</param>
/// <param name="Score">Its similarity.</param>
public readonly record struct ScoredVideo(string Id, float Score);

/// <summary>One caption of a test, with what it found.</summary>
/// <param name="Id">The video's name and the caption's number among the video's captions: <c>video7010#0</c>.</param>
/// <param name="Caption">The text.</param>
/// <param name="Video">The right video's name.</param>
/// <param name="Rank">The right video's rank, from 1.</param>
/// <param name="Top">The highest scoring videos, best first.</param>
public sealed record RankedQuery(string Id, string Caption, string Video, int Rank, IReadOnlyList<ScoredVideo> Top)
{
    private const int TopCount = 5;

    /// <summary>What each caption found, in the order of the captions.</summary>
    public static IReadOnlyList<RankedQuery> From(
        SimilarityMatrix similarity,
        IReadOnlyList<string> captions,
        IReadOnlyList<string> videoIds,
        IReadOnlyList<int>? videoOfCaption = null)
    {
        var owner = Ranking.Owners(similarity, videoOfCaption);
        if (captions.Count != similarity.Texts || videoIds.Count != similarity.Videos)
            throw new ArgumentException(
                $"{captions.Count} captions and {videoIds.Count} video names for {similarity.Texts} x {similarity.Videos} similarities");

        var captionsSeen = new int[videoIds.Count];
        return [.. Ranking.TextToVideo(similarity, owner).Select(query =>
        {
            var video = owner[query.Query];
            var row = similarity.Row(query.Query);
            var top = new List<ScoredVideo>(TopCount);
            foreach (var found in Ranking.Top(row, TopCount)) top.Add(new ScoredVideo(videoIds[found], row[found]));
            var id = Units.Format($"{videoIds[video]}#{captionsSeen[video]++}");
            return new RankedQuery(id, captions[query.Query], videoIds[video], query.Rank, top);
        })];
    }

    /// <summary>The queries whose right video ranks lowest, worst first.</summary>
    public static IReadOnlyList<RankedQuery> Worst(IEnumerable<RankedQuery> queries, int count) =>
        [.. queries.OrderByDescending(query => query.Rank).Take(count)];

    /// <summary>Writes a CSV file: query, caption, video, rank, then five videos with their scores.</summary>
    public static void WriteCsv(string path, IEnumerable<RankedQuery> queries)
    {
        ArgumentNullException.ThrowIfNull(queries);
        try
        {
            using var csv = CsvWriter.ToFile(path);
            csv.WriteRecord(Record(["query", "caption", "video", "rank"],
                Enumerable.Range(1, TopCount).SelectMany(place => new[] { Units.Format($"top{place}"), Units.Format($"score{place}") })));
            foreach (var query in queries)
                csv.WriteRecord(Record([query.Id, query.Caption, query.Video, Units.Format($"{query.Rank}")],
                    query.Top.SelectMany(found => new[] { found.Id, Units.Format($"{found.Score}") })));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be written: {TextForMessage.Quote(error.Message)}", error);
        }
    }

    /// <summary>A test of fewer than five videos leaves the last columns empty.</summary>
    private static string[] Record(string[] query, IEnumerable<string> top)
    {
        var record = new string[query.Length + (2 * TopCount)];
        Array.Fill(record, "");
        var column = 0;
        foreach (var field in query.Concat(top)) record[column++] = field;
        return record;
    }
}
