using System.Text.Json;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Training;

namespace MvAdapter.Teaching;

/// <summary>A held-out caption: where its clip stood before and stands after.</summary>
/// <param name="Caption">The query.</param>
/// <param name="Video">The content of its video.</param>
/// <param name="Path">The file.</param>
/// <param name="Start">Where the clip begins.</param>
/// <param name="End">Where it ends.</param>
/// <param name="Before">The rank before, from 1.</param>
/// <param name="After">The rank after.</param>
/// <param name="Candidates">Among how many clips.</param>
public sealed record HeldQuery(string Caption, string Video, string Path, double Start, double End, int Before, int After, int Candidates);

/// <summary>A figure before and after, and between what the difference lies in 95 of 100 draws of the held-out videos.</summary>
/// <param name="Before">Before.</param>
/// <param name="After">After.</param>
/// <param name="Least">The difference's lower end.</param>
/// <param name="Most">Its upper end.</param>
public sealed record Compared(double Before, double After, double Least, double Most)
{
    /// <summary>The difference.</summary>
    public double Change => After - Before;
}

/// <summary>What teaching has changed, on captions that nobody learnt from.</summary>
public sealed record TeachingReport
{
    /// <summary>Draws of the bootstrap.</summary>
    public const int Draws = 2000;

    private const int Shown = 10;
    private const ulong Stream = 0x424F4F54; // "BOOT"
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Clips that were learnt from in the end.</summary>
    public required int Clips { get; init; }

    /// <summary>Their captions.</summary>
    public required int Pairs { get; init; }

    /// <summary>Parts of a cross-validation; 1 where clips were held out.</summary>
    public required int Parts { get; init; }

    /// <summary>Text to video: percent of the queries whose clip comes first.</summary>
    public required Compared R1 { get; init; }

    /// <summary>Percent whose clip is among five.</summary>
    public required Compared R5 { get; init; }

    /// <summary>Percent whose clip is among ten.</summary>
    public required Compared R10 { get; init; }

    /// <summary>The median rank.</summary>
    public required Compared MedianRank { get; init; }

    /// <summary>The geometric mean of the ranks: of a query that falls from 2 to 4 and one that rises from 40 to 20 it is the same.</summary>
    public required Compared TypicalRank { get; init; }

    /// <summary>All held-out queries, those first that moved most.</summary>
    public required IReadOnlyList<HeldQuery> Queries { get; init; }

    /// <summary>
    /// Whether it is better beyond what chance in the choice of videos explains: the typical rank is lower in all but the last of forty draws, and R@1
    /// has not fallen as surely. R@1 alone says little of twenty queries, since it counts only those that cross one line.
    /// </summary>
    public required bool IsBetter { get; init; }

    /// <summary>Compares ranks.</summary>
    public static TeachingReport Of(IReadOnlyList<HeldQuery> queries, int clips, int pairs, int parts, long seed = 0)
    {
        ArgumentNullException.ThrowIfNull(queries);
        if (queries.Count == 0) throw new MvAdapterException("no held-out clip could be read, so nothing was measured");
        // Captions of one video are no independent witnesses: videos are drawn, not captions.
        var videos = queries.Select((query, i) => (query.Video, i)).GroupBy(item => item.Video, item => item.i, StringComparer.Ordinal).Select(group => group.ToArray()).ToArray();
        var random = SeededRandom.For((ulong)seed, Stream, 0);
        var figures = new Func<IReadOnlyList<HeldQuery>, bool, double>[] { Within(1), Within(5), Within(10), Median, Typical };
        var draws = figures.Select(_ => new double[Draws]).ToArray();
        for (var draw = 0; draw < Draws; draw++)
        {
            var drawn = new List<HeldQuery>(queries.Count);
            for (var i = 0; i < videos.Length; i++)
                foreach (var query in videos[random.Next(videos.Length)]) drawn.Add(queries[query]);
            for (var f = 0; f < figures.Length; f++) draws[f][draw] = figures[f](drawn, true) - figures[f](drawn, false);
        }
        var compared = figures.Select((figure, f) => Compare(figure(queries, false), figure(queries, true), draws[f])).ToArray();
        return new TeachingReport
        {
            Clips = clips, Pairs = pairs, Parts = parts, R1 = compared[0], R5 = compared[1], R10 = compared[2], MedianRank = compared[3], TypicalRank = compared[4],
            Queries = [.. queries.OrderByDescending(query => Math.Abs(Math.Log(query.Before) - Math.Log(query.After)))],
            IsBetter = compared[4].Most < 0 && compared[0].Most >= 0,
        };
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidFileException">It is damaged.</exception>
    public static TeachingReport Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TeachingReport>(File.ReadAllText(path), Json) ?? throw new InvalidFileException(path, "is empty");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    /// <summary>Writes it as JSON.</summary>
    public void Write(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(this, Json));

    /// <summary>A table for people.</summary>
    public string ToText()
    {
        var lines = new List<string>
        {
            Units.Format($"{Queries.Count} captions of clips that were not learnt from{(Parts > 1 ? Units.Format($", in {Parts} parts, each measured by a model that learnt from the others") : "")}"),
            "                 before   after   change (95 % of draws)",
            Row("R@1", R1, "%"), Row("R@5", R5, "%"), Row("R@10", R10, "%"), Row("median rank", MedianRank, ""), Row("typical rank", TypicalRank, ""),
        };
        lines.AddRange(Queries.Where(query => query.Before != query.After).Take(Shown).Select(query => Units.Format($"  rank {query.Before} -> {query.After} of {query.Candidates}: \"{TextForMessage.Quote(query.Caption, 80)}\"")));
        return string.Join('\n', lines);

        static string Row(string name, Compared figure, string unit) =>
            Units.Format($"  {name,-12} {figure.Before,7:0.0}{unit} {figure.After,7:0.0}{unit}  {figure.Change,7:+0.0;-0.0;0.0} ({figure.Least:+0.0;-0.0;0.0} to {figure.Most:+0.0;-0.0;0.0})");
    }

    private static Func<IReadOnlyList<HeldQuery>, bool, double> Within(int places) => (queries, after) => 100.0 * queries.Count(query => (after ? query.After : query.Before) <= places) / queries.Count;

    private static double Typical(IReadOnlyList<HeldQuery> queries, bool after) => Math.Exp(queries.Average(query => Math.Log(after ? query.After : query.Before)));

    private static double Median(IReadOnlyList<HeldQuery> queries, bool after)
    {
        var ranks = queries.Select(query => after ? query.After : query.Before).Order().ToArray();
        return (ranks[(ranks.Length - 1) / 2] + ranks[ranks.Length / 2]) / 2.0;
    }

    private static Compared Compare(double before, double after, double[] draws)
    {
        Array.Sort(draws);
        return new Compared(before, after, draws[(int)(0.025 * (Draws - 1))], draws[(int)Math.Ceiling(0.975 * (Draws - 1))]);
    }
}
