using System.CommandLine;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>How many processes do a command's work, and which of them this one is.</summary>
internal sealed class WorkerOptions
{
    private const int MostWorkers = 256;
    private readonly Option<int?> workers = new("--workers") { Description = "Processes that do the work together, each on a GPU of its own with --device cuda, else on a share of the cores", HelpName = "N" };
    private readonly Option<double> timeout = new("--worker-timeout") { Description = "Seconds that a worker waits for the others in a step", DefaultValueFactory = _ => 600, HelpName = "S" };
    private readonly Option<double> joinTimeout = new("--join-timeout") { Description = "Seconds that a worker waits for the others to start", DefaultValueFactory = _ => 300, HelpName = "S" };

    /// <summary>Adds the options to a command.</summary>
    public WorkerOptions(Command command)
    {
        command.Add(workers);
        command.Add(timeout);
        command.Add(joinTimeout);
    }

    /// <summary>The option of commands that start runs of their own: how many processes train each.</summary>
    public static Option<int> OfEachRun() => new("--workers") { Description = "Processes that train each run together, each on a GPU of its own with --device cuda, else on a share of the cores", DefaultValueFactory = _ => 1, HelpName = "N" };

    /// <summary>Its value.</summary>
    public static int OfEachRun(ParseResult parsed, Option<int> option) =>
        parsed.GetValue(option) is >= 1 and var count ? count : throw new UsageException("--workers must be at least 1");

    /// <summary>The option that says the batch of each worker, as published recipes do.</summary>
    public static Option<int?> PerWorkerBatch() => new("--per-worker-batch") { Description = "Pairs of each worker, as published recipes count them, in place of --batch-size, which is the batch of all workers together", HelpName = "N" };

    /// <summary>The config with the batch that so many workers make of one worker's.</summary>
    public static RunConfig WithBatch(RunConfig config, int? perWorker, int count, bool hasBatch)
    {
        if (perWorker is not { } rows) return config;
        if (hasBatch) throw new UsageException("give --batch-size, the batch of all workers together, or --per-worker-batch, not both");
        return rows is > 0 and < 1_000_000 ? config with { BatchSize = rows * count } : throw new UsageException("--per-worker-batch must be at least 1");
    }

    /// <summary>How many workers do the work.</summary>
    public int Count(ParseResult parsed) => WorkerProcesses.IsWorker || parsed.GetValue(workers) is null ? WorkerEnvironment.Read()?.WorldSize ?? 1 : parsed.GetValue(workers)!.Value;

    /// <summary>This process's place among the workers, once it has taken it; null for one alone.</summary>
    public static WorkerEnvironment? Place { get; private set; }

    /// <summary>The threads of a worker where neither the command nor OMP_NUM_THREADS names any; null for one alone.</summary>
    public static int? ShareOfThreads => Place is { } place ? Math.Max(1, Environment.ProcessorCount / place.LocalWorldSize) : null;

    /// <summary>
    /// Does a command's work: alone, or as the worker that the variables of a launcher make of this process, or by starting the workers
    /// that are asked for and waiting for them.
    /// </summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="device">The device it names; where it is <c>cuda</c>, a worker takes the GPU of its number on the machine.</param>
    /// <param name="agreement">What all workers must be given alike, by name.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <param name="work">The work: as one of the workers, or alone (null).</param>
    public int Run(
        ParseResult parsed, string device, IReadOnlyDictionary<string, string> agreement, CancellationToken cancellation, Func<Workers?, CancellationToken, int> work)
    {
        if (parsed.GetValue(workers) is { } count && !WorkerProcesses.IsWorker)
        {
            if (count is < 1 or > MostWorkers) throw new UsageException($"--workers {count}: give a number from 1 to {MostWorkers}");
            return count == 1 ? work(null, cancellation) : WorkerProcesses.Run(count, parsed.Tokens.Select(token => token.Value), cancellation);
        }
        Place = WorkerEnvironment.Read();
        if (Place is null) return work(null, cancellation);
        // The first speaks for all; errors are each one's own.
        if (Place.Rank > 0) Console.SetOut(TextWriter.Null);
        Terminal.Quiet = Place.Rank > 0;
        using var joined = Workers.Join(Place, ModelOptions.ParseDevice(device), agreement, new WorkersOptions
        {
            JoinTimeout = Seconds(parsed, joinTimeout),
            Timeout = Seconds(parsed, timeout),
            LauncherSays = WorkerProcesses.Reason,
            OnLost = reason =>
            {
                CommandRunner.Say(reason, lost: true);
                ProcessExit.AtOnce(ExitCode.Failure);
            },
        });
        try
        {
            return work(joined, cancellation);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            joined.Fail("was told to end");
            throw;
        }
        catch (Exception e) when (e is not WorkerException)
        {
            joined.Fail(e.Message);
            if (e is UsageException or not MvAdapterException) throw;
            throw new WorkerException($"{joined.Name(joined.Rank)}: {e.Message}", e);
        }
    }

    /// <summary>The whole command line as what workers must be given alike, but for what may differ between machines.</summary>
    public static Dictionary<string, string> Alike(ParseResult parsed, params string[] without)
    {
        var result = new Dictionary<string, string> { ["command"] = parsed.CommandResult.Command.Name };
        foreach (var child in parsed.CommandResult.Children.OfType<System.CommandLine.Parsing.OptionResult>())
            if (!without.Contains(child.Option.Name)) result[child.Option.Name] = string.Join(' ', child.Tokens.Select(token => token.Value));
        return result;
    }

    /// <summary>The GPU of this worker where the device is any.</summary>
    public static Device? OwnGpu(string device)
    {
        if (Place is not { } place || device != "cuda") return null;
        return place.LocalRank < TorchRuntime.CudaDevices ? Device.Cuda(place.LocalRank)
            : throw new UsageException($"this machine has {TorchRuntime.CudaDevices} GPUs for {place.LocalWorldSize} workers: each needs one of its own");
    }

    private static TimeSpan Seconds(ParseResult parsed, Option<double> option) =>
        parsed.GetValue(option) is >= 1 and <= 1e6 and var seconds ? TimeSpan.FromSeconds(seconds) : throw new UsageException($"{option.Name} takes seconds from 1 to 1000000");
}
