using System.CommandLine;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>What a command's exit code says.</summary>
internal static class ExitCode
{
    /// <summary>All done.</summary>
    public const int Success = 0;

    /// <summary>The work failed.</summary>
    public const int Failure = 1;

    /// <summary>The command itself is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Done, but some inputs were skipped.</summary>
    public const int Partial = 3;

    /// <summary>Ended by Ctrl-C.</summary>
    public const int Interrupted = 130;
}

/// <summary>Runs a command's work on one thread of its own, and turns what goes wrong into one line and an exit code.</summary>
internal static class CommandRunner
{
    private static int running;

    /// <summary>Show stack traces.</summary>
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Show stack traces of errors", Recursive = true };

    /// <summary>What decodes videos.</summary>
    public static Option<string?> Hardware { get; } = new("--hwaccel")
    {
        Description = $"Decode videos on a GPU: {HardwareDecoding.Automatic} for what there is, or ffmpeg's name of a way, such as cuda or vaapi", HelpName = "NAME", Recursive = true,
    };

    /// <summary>Whether a command's work is still running.</summary>
    public static bool Busy => Volatile.Read(ref running) != 0;

    /// <summary>Makes <paramref name="work"/> the command's action.</summary>
    public static void Runs(this Command command, Func<ParseResult, CancellationToken, int> work) =>
        command.SetAction((parsed, cancellation) => Task.Factory.StartNew(
            () => Guard(parsed, cancellation, work), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

    private static int Guard(ParseResult parsed, CancellationToken cancellation, Func<ParseResult, CancellationToken, int> work)
    {
        Interlocked.Increment(ref running);
        var verbose = parsed.GetValue(Verbose);
        // Started by another of this program, it ends with that, or when that says so.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        ParentPipe.EndWithParent(ending);
        try
        {
            ChooseDecoder(parsed.GetValue(Hardware), ending.Token);
            return work(parsed, ending.Token);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
        catch (UsageException e)
        {
            return Report(e, ExitCode.Usage);
        }
        catch (Exception e) when (e is MvAdapterException or TorchException or IOException or UnauthorizedAccessException)
        {
            return Report(e, ExitCode.Failure);
        }
        catch (Exception e)
        {
            return Report(e, ExitCode.Failure, "unexpected error, please report it: ");
        }
        finally
        {
            Interlocked.Decrement(ref running);
        }

        int Report(Exception e, int code, string prefix = "")
        {
            Say(verbose ? e.ToString() : prefix + TextForMessage.Quote(e.Message, 2000), lost: e is WorkerException);
            return code;
        }
    }

    // In the environment, for the processes that a command starts as well; they need not choose again.
    private static void ChooseDecoder(string? named, CancellationToken cancellation)
    {
        var name = named ?? Environment.GetEnvironmentVariable(HardwareDecoding.Variable);
        if (name is null || (named is null && name != HardwareDecoding.Automatic)) return;
        var way = HardwareDecoding.Choose(name, null, cancellation);
        Environment.SetEnvironmentVariable(HardwareDecoding.Variable, way);
        if (way is null) Terminal.Say("videos are decoded by the processor: this machine has no device that ffmpeg can decode with");
    }

    /// <summary>Says an error; workers that have one and the same launcher leave it to that.</summary>
    /// <param name="message">The line.</param>
    /// <param name="lost">Whether it is that of another worker, which the first says for all.</param>
    public static void Say(string message, bool lost = false)
    {
        if (WorkerProcesses.TryReport(message)) return;
        if (!lost || !Terminal.Quiet) Terminal.Error(message);
    }
}
