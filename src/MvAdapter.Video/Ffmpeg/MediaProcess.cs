using System.ComponentModel;
using System.Diagnostics;
using System.IO.Pipes;
using System.Text;

namespace MvAdapter.Video;

/// <summary>
/// A running ffmpeg or ffprobe whose output is read through a pipe. It is killed on cancellation, when it is silent
/// for too long, and on disposal; should this process die, its next write to the closed pipe ends it.
/// </summary>
internal sealed class MediaProcess : IDisposable
{
    private readonly Process process;
    private readonly AnonymousPipeServerStream[] pipes;
    private readonly Timer watchdog;
    private readonly TimeSpan patience;
    private readonly CancellationToken cancellation;
    private readonly CancellationTokenRegistration registration;
    private readonly Lock gate = new();
    private readonly FfmpegComplaints complaints = new();
    private bool disposed;
    private volatile bool stalled;

    /// <summary>Starts a program that writes to its standard output.</summary>
    public MediaProcess(string program, IEnumerable<string> arguments, TimeSpan patience, CancellationToken cancellation)
        : this(program, 0, _ => arguments, patience, cancellation) { }

    /// <summary>Starts a program that writes into several pipes, which its arguments name by paths.</summary>
    public MediaProcess(
        string program, int pipeCount, Func<IReadOnlyList<string>, IEnumerable<string>> arguments, TimeSpan patience, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var path = ProgramPath(program);
        var opened = new List<AnonymousPipeServerStream>();
        try
        {
            // The program opens them by way of this process. Were they inherited, another program that starts at the same moment could
            // inherit them too, and while it lives no reader would see their end.
            for (var i = 0; i < pipeCount; i++) opened.Add(new AnonymousPipeServerStream(PipeDirection.In, HandleInheritability.None));
            string[] paths = [.. opened.Select(pipe => $"file:/proc/{Environment.ProcessId}/fd/{pipe.SafePipeHandle.DangerousGetHandle()}")];
            process = new Process
            {
                StartInfo = new ProcessStartInfo(path, arguments(paths))
                {
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                },
            };
            process.ErrorDataReceived += (_, line) => complaints.Add(line.Data);
            process.Start();
        }
        catch (Exception error) when (error is Win32Exception or IOException)
        {
            foreach (var pipe in opened) pipe.Dispose();
            throw new MvAdapterException($"the program {program} cannot be started ({error.Message}): install it with \"apt-get install ffmpeg\"", error);
        }
        pipes = [.. opened];
        process.StandardInput.Close();
        process.BeginErrorReadLine();
        Output = new MediaOutput(process.StandardOutput.BaseStream, Alive);
        Pipes = [.. pipes.Select(pipe => new MediaOutput(pipe, Alive))];
        this.patience = patience;
        this.cancellation = cancellation;
        watchdog = new Timer(_ => { stalled = true; Kill(); }, null, patience, Timeout.InfiniteTimeSpan);
        registration = cancellation.Register(Kill);
    }

    /// <summary>What it writes to its standard output.</summary>
    public MediaOutput Output { get; }

    /// <summary>What it writes into each pipe; they are to be read at the same time, since it may wait until one is.</summary>
    public IReadOnlyList<MediaOutput> Pipes { get; }

    /// <summary>What the program complained of; complete after <see cref="WaitForExit"/>.</summary>
    public string? Complaint => complaints.Reason;

    /// <summary>What the program calls its version, such as 5.1.6.</summary>
    /// <exception cref="MvAdapterException">It is not there.</exception>
    public static string Version(string program, CancellationToken cancellation)
    {
        var words = Ask(program, ["-version"], cancellation).Split(' ', '\n');
        return words is [_, "version", var version, ..] ? version : "unknown";
    }

    /// <summary>The beginning, at most 4 kB, of what the program says to its standard output.</summary>
    /// <exception cref="MvAdapterException">It is not there.</exception>
    public static string Ask(string program, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        using var process = new MediaProcess(program, arguments, TimeSpan.FromSeconds(10), cancellation);
        var answer = new byte[4096];
        return Encoding.UTF8.GetString(answer, 0, process.Output.Fill(answer));
    }

    /// <summary>Waits for the end after the output has ended; throws when it was killed, else gives the exit code.</summary>
    public int WaitForExit(string path)
    {
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (stalled) throw new VideoException(path, $"decoding was given up: no progress for {patience.TotalSeconds:0} seconds");
        return process.ExitCode;
    }

    /// <summary>Waits for the program's end, killed or by itself, after which each pipe ends when it is read empty.</summary>
    public void WaitForPipes()
    {
        process.WaitForExit();
        // Until now the writing ends here kept the pipes from ending before the program had opened them.
        foreach (var pipe in pipes) pipe.DisposeLocalCopyOfClientHandle();
    }

    public void Dispose()
    {
        registration.Dispose();
        watchdog.Dispose();
        Kill();
        lock (gate)
        {
            if (disposed) return;
            disposed = true;
            process.WaitForExit();
            process.Dispose();
            Output.Dispose();
            foreach (var pipe in pipes) pipe.Dispose();
        }
    }

    private void Alive() => watchdog.Change(patience, Timeout.InfiniteTimeSpan);

    private void Kill()
    {
        lock (gate)
        {
            if (!disposed) process.Kill();
        }
    }

    // By itself .NET would also look in the current folder, where a stranger's file may bear the program's name.
    private static string ProgramPath(string program)
    {
        if (program.Contains('/')) return program;
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.Where(Path.IsPathRooted).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists)
            ?? throw new MvAdapterException($"the program {program} was not found: install it with \"apt-get install ffmpeg\"");
    }
}
