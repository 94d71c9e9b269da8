using System.Diagnostics;
using System.Globalization;
using MvAdapter.Files;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>
/// The workers of <c>--workers N</c>: this command N times over, each told its rank by the variables that torchrun sets. They meet in a
/// file, so that nothing listens to the network, and all end when one does.
/// </summary>
internal sealed class WorkerProcesses : IDisposable
{
    /// <summary>The variable that names the file in which a worker leaves why it ended.</summary>
    private const string ReasonVariable = "MVADAPTER_WORKER_ERROR";
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);
    private readonly ScratchFolder folder = new("mvadapter-workers");
    private readonly List<Process> processes = [];
    private readonly int count;

    private WorkerProcesses(int count) => this.count = count;

    private string ReasonFile => Path.Combine(folder.Path, "reason");

    /// <summary>Runs the command's arguments in so many workers; returns what the first to fail has, or success.</summary>
    public static int Run(int count, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        using var workers = new WorkerProcesses(count);
        workers.Start([.. arguments]);
        using var told = cancellation.Register(workers.End);
        return workers.Wait(cancellation);
    }

    /// <summary>Leaves an error for whoever started this worker, who says it once for all; false where nobody did.</summary>
    public static bool TryReport(string message)
    {
        if (Environment.GetEnvironmentVariable(ReasonVariable) is not { Length: > 0 } file) return false;
        try
        {
            using var stream = new StreamWriter(new FileStream(file, FileMode.CreateNew));
            stream.Write(message);
        }
        catch (IOException)
        {
            // Another worker was the first; what it says is what matters.
        }
        return true;
    }

    /// <summary>Why the workers of this process's launcher end, as it or the first to end has said; null while they work.</summary>
    public static string? Reason() => Environment.GetEnvironmentVariable(ReasonVariable) is { Length: > 0 } file ? Reason(file) : null;

    private static string? Reason(string file) => File.Exists(file) && File.ReadAllText(file) is { Length: > 0 } text ? text : null;

    /// <summary>Whether this process is such a worker.</summary>
    public static bool IsWorker => Environment.GetEnvironmentVariable(ReasonVariable) is { Length: > 0 };

    public void Dispose()
    {
        foreach (var process in processes)
        {
            if (!process.HasExited) process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
        folder.Dispose();
    }

    private void Start(string[] arguments)
    {
        for (var rank = 0; rank < count; rank++)
        {
            var start = OwnProgram.With(arguments);
            void Set(string name, string value) => start.Environment[name] = value;
            Set("RANK", Text(rank));
            Set("WORLD_SIZE", Text(count));
            Set("LOCAL_RANK", Text(rank));
            Set("LOCAL_WORLD_SIZE", Text(count));
            Set(WorkerEnvironment.FileVariable, Path.Combine(folder.Path, "store"));
            Set(ReasonVariable, ReasonFile);
            // The first speaks for all.
            if (rank > 0) (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
            var process = Process.Start(start)!;
            if (rank > 0)
            {
                process.BeginOutputReadLine();
                process.BeginErrorReadLine();
            }
            processes.Add(process);
        }
    }

    private int Wait(CancellationToken cancellation)
    {
        var ends = processes.Select((process, rank) => (Rank: rank, End: process.WaitForExitAsync(CancellationToken.None))).ToList();
        var first = ExitCode.Success;
        Stopwatch? since = null;
        while (ends.Count > 0)
        {
            var wait = since is null ? Timeout.InfiniteTimeSpan : Grace - since.Elapsed;
            if (since is not null && (wait <= TimeSpan.Zero || !Task.WhenAny(ends.Select(item => item.End)).Wait(wait, CancellationToken.None))) break;
            var (rank, _) = ends[Task.WaitAny([.. ends.Select(item => item.End)], CancellationToken.None)];
            ends.RemoveAll(item => item.Rank == rank);
            var code = processes[rank].ExitCode;
            if (code is ExitCode.Success or ExitCode.Partial)
            {
                if (rank == 0 && first == ExitCode.Success) first = code;
                continue;
            }
            if (since is not null) continue;
            // The others notice by themselves and write what is to be written; those that hang are ended after a while.
            since = Stopwatch.StartNew();
            if (cancellation.IsCancellationRequested) continue;
            first = code > 128 ? ExitCode.Failure : code;
            if (How(code) is { } how) Tell(string.Create(CultureInfo.InvariantCulture, $"rank {rank} ({Environment.MachineName}) {how}; the last checkpoint is kept, and the same command goes on from it"));
        }
        foreach (var process in processes.Where(process => !process.HasExited)) process.Kill();
        cancellation.ThrowIfCancellationRequested();
        if (first is not (ExitCode.Success or ExitCode.Partial)) Terminal.Error(Reason(ReasonFile) is { } reason ? reason : $"a worker ended with code {first}");
        return first;
    }

    private static string? How(int code) => code switch
    {
        ExitCode.Interrupted or 128 + 15 => "was told to end",
        128 + 9 => "was ended by signal 9, as the system does when memory is full",
        > 128 => string.Create(CultureInfo.InvariantCulture, $"was ended by signal {code - 128}"),
        _ => null,
    };

    private void Tell(string reason)
    {
        var next = ReasonFile + ".next";
        File.WriteAllText(next, reason);
        // Whole or not at all, since the workers look for it.
        if (!File.Exists(ReasonFile)) File.Move(next, ReasonFile);
    }

    // Ctrl-C reaches all of a terminal's processes; a signal to this one alone is passed on by the end of their input.
    private void End()
    {
        foreach (var process in processes)
        {
            try
            {
                process.StandardInput.Close();
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                // It has ended already.
            }
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
