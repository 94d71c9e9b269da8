using System.ComponentModel;
using System.Diagnostics;

namespace MvAdapter.Video;

/// <summary>
/// A running ffmpeg or ffprobe whose output is read through a pipe. It is killed on cancellation, when it is silent
/// for too long, and on disposal; should this process die, its next write to the closed pipe ends it.
/// </summary>
internal sealed class MediaProcess : IDisposable
{
    private readonly Process _process;
    private readonly Stream _output;
    private readonly Timer _watchdog;
    private readonly TimeSpan _patience;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _registration;
    private readonly Lock _lock = new();
    private readonly FfmpegComplaints _complaints = new();
    private bool _disposed;
    private volatile bool _stalled;

    public MediaProcess(string program, IEnumerable<string> arguments, TimeSpan patience, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var start = new ProcessStartInfo(ProgramPath(program), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => _complaints.Add(line.Data);
        try
        {
            _process.Start();
        }
        catch (Win32Exception error)
        {
            throw new MvAdapterException($"the program {program} cannot be started ({error.Message}): install it with \"apt-get install ffmpeg\"", error);
        }
        _process.StandardInput.Close();
        _process.BeginErrorReadLine();
        _output = _process.StandardOutput.BaseStream;
        _patience = patience;
        _cancellation = cancellation;
        _watchdog = new Timer(_ => { _stalled = true; Kill(); }, null, patience, Timeout.InfiniteTimeSpan);
        _registration = cancellation.Register(Kill);
    }

    /// <summary>What the program complained of; complete after <see cref="WaitForExit"/>.</summary>
    public string? Complaint => _complaints.Reason;

    /// <summary>Fills the buffer and returns the number of bytes read: fewer only at the end of the output.</summary>
    public int Fill(Span<byte> buffer)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = _output.Read(buffer[filled..]);
            if (read == 0) break;
            filled += read;
            _watchdog.Change(_patience, Timeout.InfiniteTimeSpan);
        }
        return filled;
    }

    /// <summary>Waits for the end after the output has ended; throws when it was killed, else gives the exit code.</summary>
    public int WaitForExit(string path)
    {
        _process.WaitForExit();
        _cancellation.ThrowIfCancellationRequested();
        if (_stalled) throw new VideoException(path, $"decoding was given up: no progress for {_patience.TotalSeconds:0} seconds");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        _registration.Dispose();
        _watchdog.Dispose();
        Kill();
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    private void Kill()
    {
        lock (_lock)
        {
            if (!_disposed) _process.Kill();
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
