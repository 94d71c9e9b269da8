using System.CommandLine;
using System.Globalization;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>How many processes do a command's work, and which of them this one is.</summary>
internal sealed class WorkerOptions
{
    /// <summary>The variable by which the threads of a machine are divided among its workers.</summary>
    public const string ThreadsVariable = "MVADAPTER_WORKER_THREADS";

    private const int MostWorkers = 256;
    private readonly Option<int?> workers = new("--workers") { Description = "Processes that do the work together, each on a GPU of its own with --device cuda, else on a share of the cores", HelpName = "N" };
    private readonly Option<double> timeout = new("--worker-timeout") { Description = "Seconds that a worker waits for the others in a step", DefaultValueFactory = _ => 600, HelpName = "S" };

    /// <summary>Adds the options to a command.</summary>
    public WorkerOptions(Command command)
    {
        command.Add(workers);
        command.Add(timeout);
    }

    /// <summary>Starts the workers that are asked for, each with the same command, and waits for them; null where this process does the work.</summary>
    public int? Launch(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(workers) is not { } count || WorkerProcesses.IsWorker) return null;
        if (count is < 1 or > MostWorkers) throw new UsageException($"--workers {count}: give a number from 1 to {MostWorkers}");
        return count == 1 ? null : WorkerProcesses.Run(count, parsed.Tokens.Select(token => token.Value), cancellation);
    }

    /// <summary>This process's place among the workers, by the variables of whoever started it; null for one alone.</summary>
    public WorkerEnvironment? Place(ParseResult parsed) => parsed.GetValue(workers) == 1 ? null : WorkerEnvironment.Read();

    /// <summary>Meets the others.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="place">This worker's place.</param>
    /// <param name="device">Where its model is.</param>
    /// <param name="agreement">What all must be given alike.</param>
    public Workers Join(ParseResult parsed, WorkerEnvironment place, Device device, IReadOnlyDictionary<string, string> agreement)
    {
        var seconds = parsed.GetValue(timeout);
        if (seconds is not (>= 1 and <= 1e6)) throw new UsageException("--worker-timeout takes seconds from 1 to 1000000");
        // The first speaks for all; errors are each one's own.
        if (place.Rank > 0) Console.SetOut(TextWriter.Null);
        Terminal.Quiet = place.Rank > 0;
        return Workers.Join(place, device, agreement, new WorkersOptions
        {
            Timeout = TimeSpan.FromSeconds(seconds),
            OnLost = reason =>
            {
                CommandRunner.Say(reason, lost: true);
                ProcessExit.AtOnce(ExitCode.Failure);
            },
        });
    }

    /// <summary>The device of a worker: with several GPUs, that of its number on the machine.</summary>
    public static Device DeviceOf(WorkerEnvironment? place, string text)
    {
        if (place is null || text != "cuda") return ModelOptions.ParseDevice(text);
        if (place.LocalRank >= TorchRuntime.CudaDevices)
            throw new UsageException($"this machine has {TorchRuntime.CudaDevices} GPUs for {place.LocalWorldSize} workers: each needs one of its own");
        return Device.Cuda(place.LocalRank);
    }

    /// <summary>The threads of a worker where the command names none.</summary>
    public static int? Threads(int? given) => given
        ?? (int.TryParse(Environment.GetEnvironmentVariable(ThreadsVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var share) ? share : null);
}
