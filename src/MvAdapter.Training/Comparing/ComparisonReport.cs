using System.Text.Json;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>
/// A comparison as it stands, finished or not, as <c>table.md</c>, <c>table.tex</c>, <c>table.json</c> and
/// <c>index.html</c>: what is missing is said in each.
/// </summary>
public sealed class ComparisonReport
{
    private const int NamedRuns = 12;
    private readonly ComparisonPlan plan;
    private readonly IReadOnlyDictionary<PlannedRun, RunResult> results;
    private readonly IReadOnlyDictionary<PlannedRun, string> failures;
    private readonly IReadOnlyList<string> remarks;

    /// <summary>A report.</summary>
    /// <param name="plan">The runs.</param>
    /// <param name="results">What the finished ones reached.</param>
    /// <param name="failures">Why others failed.</param>
    /// <param name="remarks">What else belongs under the table, such as missing videos.</param>
    public ComparisonReport(
        ComparisonPlan plan, IReadOnlyDictionary<PlannedRun, RunResult> results, IReadOnlyDictionary<PlannedRun, string> failures, IReadOnlyList<string> remarks)
    {
        (this.plan, this.results, this.failures, this.remarks) = (plan, results, failures, remarks);
        Table = ResultTable.From([.. plan.Rows.Select(row => new ResultRow(row.Key.Name, Reports(row), row.Count()))], plan.BackboneParameters);
    }

    /// <summary>The table.</summary>
    public ResultTable Table { get; }

    private RunConfig Config => plan.Runs[0].Config;

    private string Title => $"Methods compared on {TextForMessage.Quote(Config.Dataset)}";

    private IReadOnlyList<PlannedRun> Missing => [.. plan.Runs.Where(run => !results.ContainsKey(run))];

    /// <summary>Writes all four files into the comparison's folder.</summary>
    public void Write()
    {
        var notes = Notes();
        File("table.md", $"# {Title}\n\n{Table.ToMarkdown()}\n{string.Concat(notes.Select(note => $"- {ResultTable.EscapeMarkdown(note)}\n"))}");
        File("table.tex", string.Concat(notes.Prepend("\\usepackage{booktabs}").Select(note => $"% {note}\n")) + Table.ToLatex());
        File("table.json", JsonSerializer.Serialize(Json(notes), ResultsFile.Json) + "\n");
        File("index.html", ComparisonPage.Create(Title, Introduction, Table, notes, Rows()));

        void File(string name, string text) => AtomicFile.WriteText(Path.Combine(plan.Folder, name), text);
    }

    /// <summary>What has to be known to read the table, a sentence each.</summary>
    public IReadOnlyList<string> Notes()
    {
        var notes = new List<string>();
        var missing = Missing;
        if (missing.Count > 0)
        {
            var named = string.Join("; ", missing.Take(NamedRuns).Select(run => failures.TryGetValue(run, out var why) ? $"{run.Name} (failed: {why})" : run.Name));
            notes.Add(Units.Format($"Unfinished: {missing.Count} of {plan.Runs.Count} runs are missing: {named}{(missing.Count > NamedRuns ? "; ..." : "")}."));
        }
        if (results.Count > 0)
        {
            var report = results.Values.First().Report;
            notes.Add(Units.Format($"Test split: {report.Videos} videos, {report.Captions} captions. Figures are means ± sample standard deviations over the seeds."));
        }
        foreach (var (run, result) in results.Where(item => !item.Value.Complete).OrderBy(item => item.Key.Name, StringComparer.Ordinal))
            notes.Add(Units.Format($"{run.Name}: ended by the limit of time after {result.Report.Steps} of {result.TotalSteps} steps."));
        foreach (var group in results.Values.GroupBy(result => (result.Device, result.Threads, result.Jobs, result.Workers)))
            notes.Add(Units.Format($"Measured on {group.Key.Device} with {(group.Key.Workers > 1 ? $"{group.Key.Workers} workers of " : "")}{group.Key.Threads} threads{(group.Count() == results.Count ? "" : $" ({group.Count()} of the runs)")}{(group.Key.Jobs > 1 ? $", {group.Key.Jobs} runs at once: times were taken side by side and say less" : "")}."));
        return [.. notes, .. remarks];
    }

    private string Introduction
    {
        get
        {
            var length = Config.Steps > 0 ? Units.Format($"{Config.Steps} steps") : Units.Format($"{Config.Epochs} epochs");
            var batch = Config.BatchSize > 0 ? Units.Format($"{Config.BatchSize * Config.Accumulation}") : "16";
            return Units.Format($"Every method starts from the same CLIP ({plan.BackboneParameters:N0} parameters) and trains for {length} of {batch} videos, {Config.Frames} frames each, in {Config.Precision}.");
        }
    }

    private List<RetrievalReport> Reports(IEnumerable<PlannedRun> row) =>
        [.. row.Where(results.ContainsKey).Select(run => results[run].Report)];

    private IReadOnlyList<(string Name, IReadOnlyList<RunResult> Results)> Rows() =>
        [.. plan.Rows.Select(row => (row.Key.Name, (IReadOnlyList<RunResult>)[.. row.Where(results.ContainsKey).Select(run => results[run])])).Where(row => row.Item2.Count > 0)];

    private object Json(IReadOnlyList<string> notes) => new
    {
        Title,
        Finished = Missing.Count == 0,
        plan.BackboneParameters,
        Notes = notes,
        MissingRuns = Missing.Select(run => new { Row = run.Row.Name, run.Config.Seed, Failure = failures.GetValueOrDefault(run) }),
        Rows = plan.Rows.Select((row, index) => new
        {
            row.Key.Name,
            row.Key.Config.Method,
            Settings = JsonSerializer.Deserialize<JsonElement>(row.Key.Config.Settings.Length > 0 ? row.Key.Config.Settings : "{}"),
            row.Key.Config.AdapterLr,
            row.Key.Config.ClipLr,
            Cells = Table.Headers.Zip(Table.Rows[index]).ToDictionary(cell => cell.First, cell => cell.Second),
            Runs = Reports(row),
        }),
    };
}
