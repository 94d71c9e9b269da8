using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace MvAdapter.Server;

/// <summary>What a run says of itself.</summary>
/// <param name="Stage">train, measure, encode, done, failed or stopped.</param>
/// <param name="Message">In words.</param>
/// <param name="Step">Steps of the stage.</param>
/// <param name="Total">Of so many.</param>
/// <param name="Part">The part of a cross-validation, from 1.</param>
/// <param name="Parts">How many.</param>
internal sealed record JobState(string Stage, string Message, long Step, long Total, int Part, int Parts);

/// <summary>
/// Trains and puts to use, one at a time, each in a process of its own whose standard input ends with this one: a server that is killed leaves
/// no trainer behind, and a run goes on where it was when it is started again. What a run is and found stands in its folder.
/// </summary>
internal sealed partial class TeachingJobs(TeachingOptions options) : IDisposable
{
    private const string Prefix = "run-";
    private const int LinesKept = 20;
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);
    private readonly Lock gate = new();
    private readonly Queue<string> lines = new();
    private Process? process;
    private bool encodes;

    /// <summary>Whether a process runs.</summary>
    public bool IsRunning
    {
        get
        {
            lock (gate) return process is { HasExited: false };
        }
    }

    /// <summary>The last run's folder; null before the first.</summary>
    public string? Latest => !Directory.Exists(options.Folder) ? null : Directory.EnumerateDirectories(options.Folder, Prefix + "*").MaxBy(Number);

    /// <summary>Trains: goes on with the last run where that has not ended and is of this collection, else begins the next.</summary>
    /// <exception cref="UsageException">One runs already.</exception>
    public void Train(long collection)
    {
        lock (gate)
        {
            RefuseSecond();
            var latest = Latest;
            var goesOn = latest is not null && !HasEnded(latest) && (CollectionOf(latest) ?? collection) == collection;
            var run = goesOn ? latest! : Path.Combine(options.Folder, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{(latest is null ? 1 : Number(latest) + 1)}"));
            Directory.CreateDirectory(run);
            Start(options.Train(run, collection), encodes: false);
        }
    }

    /// <summary>Puts the last run's adapter to use.</summary>
    /// <exception cref="UsageException">One runs already, or none has ended.</exception>
    public void Use(bool force)
    {
        lock (gate)
        {
            RefuseSecond();
            if (Latest is not { } run || !HasEnded(run)) throw new UsageException("no run has ended: train first");
            Start(options.Use(run, force), encodes: true);
        }
    }

    /// <summary>Tells the process to end; it can be gone on with.</summary>
    public void Stop()
    {
        lock (gate)
        {
            if (process is { HasExited: false }) process.StandardInput.Close();
        }
    }

    /// <summary>What the process, or the last run, says of itself; null before the first.</summary>
    public JobState? State()
    {
        lock (gate)
        {
            var running = process is { HasExited: false };
            if (encodes && process is not null)
            {
                var last = lines.LastOrDefault() ?? "";
                // "videos 12/345, ..."
                var counted = Counts().Match(last);
                var (done, total) = counted.Success ? (Value(counted.Groups[1]), Value(counted.Groups[2])) : (0, 0);
                return new JobState(running ? "encode" : process.ExitCode == 0 ? "used" : "failed", last, done, total, 1, 1);

                static long Value(Group group) => long.Parse(group.ValueSpan, CultureInfo.InvariantCulture);
            }
            if (Latest is not { } run || Read<JobState>(Path.Combine(run, "state.json")) is not { } state)
                return running ? new JobState("train", lines.LastOrDefault() ?? "reading the model", 0, 0, 1, 1) : process is { ExitCode: not 0 } ? new JobState("failed", LastError(), 0, 0, 1, 1) : null;
            if (running) return state;
            return state.Stage is "done" or "failed" ? state : state with { Stage = process is { ExitCode: not (0 or 130) } ? "failed" : "stopped", Message = process is { ExitCode: not (0 or 130) } ? LastError() : state.Message };
        }
    }

    /// <summary>What the last run found, as it wrote it; null where it has not ended.</summary>
    public JsonElement? Report() => Latest is { } run ? Read<JsonElement?>(ReportOf(run)) : null;

    /// <summary>Ends the process, which can be gone on with.</summary>
    public void Dispose()
    {
        Stop();
        if (process is null) return;
        if (!process.WaitForExit(Grace)) process.Kill(entireProcessTree: true);
        process.Dispose();
    }

    private void RefuseSecond()
    {
        if (process is { HasExited: false }) throw new UsageException("a training is running already; wait for it, or stop it");
    }

    private void Start(ProcessStartInfo start, bool encodes)
    {
        process?.Dispose();
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        lines.Clear();
        this.encodes = encodes;
        process = new Process { StartInfo = start };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            process.PriorityClass = ProcessPriorityClass.BelowNormal;   // searches come first
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            // It has ended already; why is told by its output.
        }
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is not { Length: > 0 } text) return;
        lock (gate)
        {
            lines.Enqueue(text);
            if (lines.Count > LinesKept) lines.Dequeue();
        }
    }

    private string LastError() => lines.LastOrDefault(line => line.StartsWith("error: ", StringComparison.Ordinal))?["error: ".Length..] ?? lines.LastOrDefault() ?? "the training ended without a word";

    private static string ReportOf(string run) => Path.Combine(run, "report.json");

    private static bool HasEnded(string run) => File.Exists(ReportOf(run));

    private static long? CollectionOf(string run) => Read<Begun>(Path.Combine(run, "clips.json"))?.Collection;

    private static int Number(string run) => int.TryParse(Path.GetFileName(run).AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static T? Read<T>(string file)
    {
        try
        {
            return File.Exists(file) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(file), Json) : default;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return default;
        }
    }

    [GeneratedRegex(@"^\w+ (\d{1,15})/(\d{1,15})", RegexOptions.CultureInvariant)]
    private static partial Regex Counts();

    private sealed record Begun(long Collection);
}
