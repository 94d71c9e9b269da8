using System.Globalization;
using System.Net;

namespace MvAdapter.Training;

/// <summary>
/// Which worker of how many this process is, and where the workers meet, as whoever started it says in environment variables:
/// <c>--workers</c> of this program, torchrun and what does as it does (Kubernetes' PyTorchJob), or Slurm's <c>srun</c>.
/// </summary>
/// <param name="Rank">This worker's number, from 0.</param>
/// <param name="WorldSize">How many workers there are.</param>
/// <param name="LocalRank">Its number among those of this machine.</param>
/// <param name="LocalWorldSize">How many there are on this machine.</param>
public sealed record WorkerEnvironment(int Rank, int WorldSize, int LocalRank, int LocalWorldSize)
{
    /// <summary>The variable by which <c>--workers</c> names the file in which workers of one machine meet.</summary>
    public const string FileVariable = "MVADAPTER_RENDEZVOUS";

    private const int DefaultPort = 29500;
    private const int SlurmPorts = 10_000;
    private const int MostWorkers = 4096;

    /// <summary>The file in which workers of one machine meet; null where they meet over the network.</summary>
    public string? File { get; init; }

    /// <summary>The host that keeps the store.</summary>
    public string MasterAddress { get; init; } = "";

    /// <summary>The store's port.</summary>
    public int MasterPort { get; init; }

    /// <summary>Whether the launcher keeps the store, and not the first worker.</summary>
    public bool LauncherKeepsStore { get; init; }

    /// <summary>How often the launcher has started the workers anew; each time they meet under other keys.</summary>
    public string Attempt { get; init; } = "0";

    /// <summary>What the process's own variables say; null when they speak of no more than this process.</summary>
    /// <exception cref="UsageException">A variable is missing or is no such number; the line names it.</exception>
    public static WorkerEnvironment? Read() => Parse(Environment.GetEnvironmentVariable);

    /// <summary>The same of variables from elsewhere.</summary>
    /// <param name="variable">Looks up a variable; null where it is not set.</param>
    /// <exception cref="UsageException">A variable is missing or is no such number; the line names it.</exception>
    public static WorkerEnvironment? Parse(Func<string, string?> variable)
    {
        if (Get("WORLD_SIZE") is null && Get("RANK") is null) return Slurm(variable);
        var (rank, world) = Numbers("RANK", "WORLD_SIZE");
        var localRank = Get("LOCAL_RANK") is null ? 0 : Number("LOCAL_RANK", 0, world - 1);
        var localWorld = Get("LOCAL_WORLD_SIZE") is null ? (Get("LOCAL_RANK") is null ? 1 : Math.Min(world, localRank + 1)) : Number("LOCAL_WORLD_SIZE", 1, world);
        if (localRank >= localWorld) throw new UsageException($"LOCAL_RANK {localRank} must be less than LOCAL_WORLD_SIZE {localWorld}");
        var environment = new WorkerEnvironment(rank, world, localRank, localWorld)
        {
            File = Get(FileVariable),
            LauncherKeepsStore = Get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            Attempt = Get("TORCHELASTIC_RESTART_COUNT") ?? "0",
        };
        if (world == 1) return null;
        return environment.File is not null ? environment : environment with
        {
            MasterAddress = Get("MASTER_ADDR") ?? throw new UsageException("WORLD_SIZE is set without MASTER_ADDR: name the host of the worker with RANK 0"),
            MasterPort = Get("MASTER_PORT") is null ? DefaultPort : Number("MASTER_PORT", 1, IPEndPoint.MaxPort),
        };

        string? Get(string name) => variable(name) is { Length: > 0 } text ? text : null;

        (int, int) Numbers(string rankName, string worldName)
        {
            if (Get(rankName) is null) throw new UsageException($"{worldName} is set without {rankName}: a launcher sets both; unset {worldName} to run alone");
            if (Get(worldName) is null) throw new UsageException($"{rankName} is set without {worldName}: a launcher sets both; unset {rankName} to run alone");
            var count = Number(worldName, 1, MostWorkers);
            return (Number(rankName, 0, count - 1), count);
        }

        int Number(string name, int least, int most) => NumberOf(variable, name, least, most);
    }

    // srun's own variables: those of a batch script, which is not a task, lack SLURM_STEP_NUM_TASKS.
    private static WorkerEnvironment? Slurm(Func<string, string?> variable)
    {
        if (variable("SLURM_STEP_NUM_TASKS") is not { Length: > 0 } || variable("SLURM_PROCID") is not { Length: > 0 }) return null;
        var world = NumberOf(variable, "SLURM_STEP_NUM_TASKS", 1, MostWorkers);
        if (world == 1) return null;
        var rank = NumberOf(variable, "SLURM_PROCID", 0, world - 1);
        var node = variable("SLURM_NODEID") is { Length: > 0 } ? NumberOf(variable, "SLURM_NODEID", 0, MostWorkers) : 0;
        var local = NumberOf(variable, "SLURM_LOCALID", 0, world - 1);
        var onNode = SlurmLists.TasksOf(variable("SLURM_STEP_TASKS_PER_NODE") ?? "", node) ?? local + 1;
        var job = variable("SLURM_JOB_ID") is { Length: > 0 } ? NumberOf(variable, "SLURM_JOB_ID", 0, int.MaxValue) : 0;
        return new WorkerEnvironment(rank, world, local, Math.Max(onNode, local + 1))
        {
            MasterAddress = variable("MASTER_ADDR") is { Length: > 0 } given ? given
                : SlurmLists.FirstNode(variable("SLURM_STEP_NODELIST") ?? variable("SLURM_JOB_NODELIST") ?? "")
                ?? throw new UsageException("Slurm names no nodes (SLURM_STEP_NODELIST): set MASTER_ADDR to the host of the first task"),
            // Two jobs on one node must not meet.
            MasterPort = variable("MASTER_PORT") is { Length: > 0 } ? NumberOf(variable, "MASTER_PORT", 1, IPEndPoint.MaxPort) : DefaultPort + job % SlurmPorts,
            Attempt = variable("SLURM_STEP_ID") ?? "0",
        };
    }

    private static int NumberOf(Func<string, string?> variable, string name, int least, int most)
    {
        var text = variable(name) ?? "";
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most ? number
            : throw new UsageException($"{name} is '{TextForMessage.Quote(text, 40)}', not a whole number from {least} to {most}");
    }
}
