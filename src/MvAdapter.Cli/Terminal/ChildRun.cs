using System.Diagnostics;
using System.Globalization;
using MvAdapter.Comparing;
using MvAdapter.Files;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>A run of a comparison in a child process of this program.</summary>
internal sealed class ChildRun : IDisposable
{
    private const string ErrorPrefix = "error: ";
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(400);
    private readonly PlannedRun run;
    private readonly Process process;
    private readonly StreamWriter log;
    private readonly Lock gate = new();
    private string error = "";
    private bool disposed;

    /// <summary>Starts the run.</summary>
    /// <param name="run">The run; its config is written into its folder.</param>
    /// <param name="options">More options of <see cref="MeasureCommand"/>.</param>
    /// <param name="onStep">Told of every step taken and the last loss, by another thread.</param>
    public ChildRun(PlannedRun run, IEnumerable<string> options, Action<long, long, string> onStep)
    {
        this.run = run;
        Directory.CreateDirectory(run.Folder.Path);
        AtomicFile.WriteText(run.Folder.Config, RunConfigFile.ToYaml(run.Config));
        log = new StreamWriter(run.Folder.File("output.log"), append: true) { AutoFlush = true };
        process = new Process { StartInfo = OwnProgram.With(["measure", "--folder", run.Folder.Path, "--row", run.Row.Name, .. options]) };
        (process.StartInfo.RedirectStandardOutput, process.StartInfo.RedirectStandardError) = (true, true);
        process.OutputDataReceived += (_, line) =>
        {
            if (line.Data?.Split(' ') is [var step, var total, var loss]) onStep(long.Parse(step, CultureInfo.InvariantCulture), long.Parse(total, CultureInfo.InvariantCulture), loss);
        };
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>Waits for the end: null when the run is done, else why it failed.</summary>
    public string? Wait(CancellationToken cancellation)
    {
        // Without a token to the wait: Dispose ends the child, and so the wait.
        using var registration = cancellation.Register(End);
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode == ExitCode.Success && File.Exists(run.Folder.Result)) return null;
        lock (gate)
        {
            return error.Length > 0 ? error
                : process.ExitCode > 128 ? string.Create(CultureInfo.InvariantCulture, $"ended by signal {process.ExitCode - 128}{(process.ExitCode == 137 ? ", as the system does when memory is full" : "")}")
                : string.Create(CultureInfo.InvariantCulture, $"ended with code {process.ExitCode}; its words are in {TextForMessage.Quote(run.Folder.File("output.log"))}");
        }
    }

    public void Dispose()
    {
        End();
        process.WaitForExit();
        process.Dispose();
        lock (gate)
        {
            disposed = true;
            log.Dispose();
        }
    }

    // The end of its input asks the child to write a checkpoint and go.
    private void End()
    {
        if (process.HasExited) return;
        process.StandardInput.Close();
        if (!process.WaitForExit(Grace)) process.Kill();
    }

    private void Keep(string? line)
    {
        lock (gate)
        {
            if (line is null || disposed) return;
            log.WriteLine(line);
            if (line.StartsWith(ErrorPrefix, StringComparison.Ordinal)) error = TextForMessage.Quote(line[ErrorPrefix.Length..]);
        }
    }
}
