using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>The meeting of the workers: each says who it is and what it was given, and the first compares.</summary>
/// <param name="environment">This worker's place.</param>
/// <param name="store">Where they meet.</param>
/// <param name="timeout">How long to wait for the last.</param>
internal sealed class Rendezvous(WorkerEnvironment environment, RendezvousStore store, TimeSpan timeout)
{
    /// <summary>The key of what must be the same before anything else is compared.</summary>
    public const string VersionKey = "version";

    /// <summary>The key of the host's name, which differs.</summary>
    public const string HostKey = "host";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Meets the others; returns what each is called.</summary>
    /// <exception cref="MvAdapterException">Not all have come in time, or one differs.</exception>
    public IReadOnlyList<string> Meet(IReadOnlyDictionary<string, string> me)
    {
        if (store.Add(Key("taken", environment.Rank), 1) > 1)
        {
            var taken = $"two workers have rank {environment.Rank}; the second is on {me[HostKey]}: each worker needs a RANK of its own";
            store.Set(Key("verdict"), JsonSerializer.Serialize(new Verdict(taken, [])));
            throw new UsageException(taken);
        }
        store.Set(Key("worker", environment.Rank), JsonSerializer.Serialize(me));
        if (environment.Rank == 0) store.Set(Key("verdict"), JsonSerializer.Serialize(Compare(me)));
        var verdict = JsonSerializer.Deserialize<Verdict>(Wait(Key("verdict"), "the first worker (rank 0)"))!;
        if (verdict.Refusal.Length == 0) return verdict.Names;
        Part();
        throw new UsageException(verdict.Refusal);
    }

    // Who may keep the store stays until the others have read why they part.
    private void Part()
    {
        var clock = Stopwatch.StartNew();
        try
        {
            var read = store.Add(Key("parted"), 1);
            while (environment.Rank == 0 && read < environment.WorldSize && clock.Elapsed < Patience)
            {
                Thread.Sleep(Pause);
                read = store.Add(Key("parted"), 0);
            }
        }
        catch (TorchException)
        {
            // The store is gone; what was to be said has been read.
        }
    }

    // A worker of another version may not know these keys, and one that never comes says nothing.
    private Verdict Compare(IReadOnlyDictionary<string, string> mine)
    {
        var names = new List<string>();
        var refusal = "";
        for (var rank = 0; rank < environment.WorldSize; rank++)
        {
            IReadOnlyDictionary<string, string> theirs;
            try
            {
                theirs = JsonSerializer.Deserialize<Dictionary<string, string>>(Wait(Key("worker", rank), $"rank {rank}"))!;
            }
            catch (MvAdapterException e)
            {
                return new Verdict(e.Message, []);
            }
            names.Add($"rank {rank} ({theirs.GetValueOrDefault(HostKey)})");
            var differing = mine.Keys.Union(theirs.Keys).Where(key => key != HostKey && mine.GetValueOrDefault(key) != theirs.GetValueOrDefault(key)).ToList();
            if (differing.Count == 0 || refusal.Length > 0) continue;
            var first = differing.Contains(VersionKey) ? VersionKey : differing[0];
            refusal = $"{names[rank]} differs from {names[0]} in {string.Join(", ", differing)}: {first} is '{Text(theirs, first)}', not '{Text(mine, first)}'; start all workers of one version with the same command";
        }
        return new Verdict(refusal, names);
    }

    private static string Text(IReadOnlyDictionary<string, string> values, string key) => TextForMessage.Quote(values.GetValueOrDefault(key) ?? "", 80);

    private string Wait(string key, string whose)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            string? value;
            try
            {
                value = store.TryGet(key);
                // Somebody else may have refused meanwhile.
                if (value is null && store.TryGet(Key("verdict")) is { } verdict) value = key == Key("verdict") ? verdict : throw new UsageException(JsonSerializer.Deserialize<Verdict>(verdict)!.Refusal);
            }
            catch (TorchException e)
            {
                throw new MvAdapterException($"the first worker has ended while the workers met; its own message says why ({TextForMessage.Quote(e.Message, 200)})", e);
            }
            if (value is not null) return value;
            if (clock.Elapsed > timeout)
                throw new MvAdapterException(string.Create(CultureInfo.InvariantCulture, $"{whose} has not come within {timeout.TotalSeconds:0} s: are all {environment.WorldSize} workers started, with the same MASTER_ADDR and MASTER_PORT?"));
            Thread.Sleep(Pause);
        }
    }

    private string Key(string name, int? rank = null) => WorkerKeys.Of(environment, name, rank);

    private sealed record Verdict(string Refusal, IReadOnlyList<string> Names);
}

/// <summary>The store's keys; a launcher that starts the workers anew gives each attempt keys of its own.</summary>
internal static class WorkerKeys
{
    public static string Of(WorkerEnvironment environment, string name, int? rank = null) =>
        rank is { } number ? string.Create(CultureInfo.InvariantCulture, $"mvadapter/{environment.Attempt}/{name}/{number}") : $"mvadapter/{environment.Attempt}/{name}";
}
