using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace MvAdapter.Video;

/// <summary>
/// A running ffmpeg or ffprobe whose output is read through a pipe. It is killed on cancellation, when it is silent
/// for too long, and on disposal; should this process die, its next write to the closed pipe ends it.
/// </summary>
internal sealed class MediaProcess : IDisposable
{
    private readonly Process process;
    private readonly Stream output;
    private readonly Timer watchdog;
    private readonly TimeSpan patience;
    private readonly CancellationToken cancellation;
    private readonly CancellationTokenRegistration registration;
    private readonly Lock gate = new();
    private readonly FfmpegComplaints complaints = new();
    private bool disposed;
    private volatile bool stalled;

    public MediaProcess(string program, IEnumerable<string> arguments, TimeSpan patience, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var start = new ProcessStartInfo(ProgramPath(program), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, line) => complaints.Add(line.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception error)
        {
            throw new MvAdapterException($"the program {program} cannot be started ({error.Message}): install it with \"apt-get install ffmpeg\"", error);
        }
        process.StandardInput.Close();
        process.BeginErrorReadLine();
        output = process.StandardOutput.BaseStream;
        this.patience = patience;
        this.cancellation = cancellation;
        watchdog = new Timer(_ => { stalled = true; Kill(); }, null, patience, Timeout.InfiniteTimeSpan);
        registration = cancellation.Register(Kill);
    }

    /// <summary>What the program complained of; complete after <see cref="WaitForExit"/>.</summary>
    public string? Complaint => complaints.Reason;

    /// <summary>What the program calls its version, such as 5.1.6.</summary>
    /// <exception cref="MvAdapterException">It is not there.</exception>
    public static string Version(string program, CancellationToken cancellation)
    {
        using var process = new MediaProcess(program, ["-version"], TimeSpan.FromSeconds(10), cancellation);
        var answer = new byte[1000];
        var words = Encoding.UTF8.GetString(answer, 0, process.Fill(answer)).Split(' ', '\n');
        return words is [_, "version", var version, ..] ? version : "unknown";
    }

    /// <summary>Fills the buffer and returns the number of bytes read: fewer only at the end of the output.</summary>
    public int Fill(Span<byte> buffer)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = output.Read(buffer[filled..]);
            if (read == 0) break;
            filled += read;
            watchdog.Change(patience, Timeout.InfiniteTimeSpan);
        }
        return filled;
    }

    /// <summary>Waits for the end after the output has ended; throws when it was killed, else gives the exit code.</summary>
    public int WaitForExit(string path)
    {
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (stalled) throw new VideoException(path, $"decoding was given up: no progress for {patience.TotalSeconds:0} seconds");
        return process.ExitCode;
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
        }
    }

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
