using System.Diagnostics;
using System.Globalization;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>
/// Signs of life: each worker counts up a number in the store and looks at its neighbour's, so that no clock is compared. Whoever misses
/// one, or fails itself, says so in the store, and all end.
/// </summary>
internal sealed class WorkerWatch : IDisposable
{
    private const int BeatsOfSilence = 6;
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(3);
    private readonly WorkerEnvironment environment;
    private readonly Func<RendezvousStore> open;
    private readonly IReadOnlyList<string> names;
    private readonly WorkersOptions options;
    private readonly CancellationTokenSource lost = new();
    private readonly TimeSpan beatInterval;
    private readonly Thread thread;
    private readonly Timer guard;
    private readonly ManualResetEventSlim wake = new();
    private readonly ManualResetEventSlim known = new();   // a failure is known, or said
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private long lastTurn;
    private volatile string? saying;
    private volatile string? failure;
    private volatile bool leaving;
    private volatile bool ended;

    public WorkerWatch(WorkerEnvironment environment, Func<RendezvousStore> open, IReadOnlyList<string> names, WorkersOptions options)
    {
        (this.environment, this.open, this.names, this.options) = (environment, open, names, options);
        beatInterval = options.Silence / BeatsOfSilence;
        thread = new Thread(Watch) { IsBackground = true, Name = "workers' watch" };
        thread.Start();
        // The store's server may be stopped, and then the watch waits for its answer.
        guard = new Timer(_ => GuardTheWatch(), null, beatInterval, beatInterval);
    }

    /// <summary>Cancelled, by the watch's thread, when a worker is lost.</summary>
    public CancellationToken LostToken => lost.Token;

    /// <summary>Why the work has ended: what another worker said, or the given fault of this one. Waits until silence would be noticed.</summary>
    public WorkerException Explain(Exception fault)
    {
        known.Wait(options.Silence + Grace);
        return failure is { } reason ? new WorkerException(reason, fault) : new WorkerException($"{names[environment.Rank]}: {fault.Message}", fault);
    }

    /// <summary>Says in the store that this worker ends.</summary>
    public void Fail(string reason)
    {
        if (failure is not null || ended) return;
        saying = $"{names[environment.Rank]}: {reason}";
        wake.Set();
        known.Wait(Grace);
    }

    /// <summary>From here on the others may go.</summary>
    public void Leave()
    {
        leaving = true;
        wake.Set();
        thread.Join(options.Silence);
    }

    public void Dispose()
    {
        ended = true;
        guard.Dispose();
        wake.Set();
        thread.Join(Grace);
    }

    private void Watch()
    {
        try
        {
            using var store = open();
            Turns(store);
        }
        catch (Exception e) when (e is TorchException or MvAdapterException)
        {
            // The others have left where the first, which keeps the store, is gone in the end.
            if (!leaving && !ended) Lost($"{names[0]}, which keeps the workers' store, cannot be reached any more");
        }
    }

    private void Turns(RendezvousStore store)
    {
        var neighbour = (environment.Rank + 1) % environment.WorldSize;
        var (seen, since, said) = ("", clock.Elapsed, false);
        for (long beat = 0; !ended; beat++)
        {
            Interlocked.Exchange(ref lastTurn, clock.ElapsedMilliseconds);
            store.Set(Key("beat", environment.Rank), beat.ToString(CultureInfo.InvariantCulture));
            if ((store.TryGet(Key("failed")) ?? options.LauncherSays?.Invoke()) is { } reason) Lost(reason);
            else if (saying is { } mine) Say(store, mine);
            else if (leaving)
            {
                if (!said) store.Add(Key("left"), 1);
                said = true;
                // Who keeps the store leaves last.
                if (environment.Rank != 0 || store.Add(Key("left"), 0) >= environment.WorldSize) return;
            }
            else if (store.TryGet(Key("beat", neighbour)) is { } now && now != seen) (seen, since) = (now, clock.Elapsed);
            else if (clock.Elapsed - since > options.Silence && store.Add(Key("left"), 0) == 0)
                Say(store, string.Create(CultureInfo.InvariantCulture, $"{names[neighbour]} has given no sign of life for {options.Silence.TotalSeconds:0} s: its process has ended or is stopped, or the network between the machines is cut"));
            if (failure is not null) return;
            wake.Wait(leaving ? Soon : beatInterval);
            wake.Reset();
        }
    }

    private void Say(RendezvousStore store, string reason)
    {
        store.Set(Key("failed"), reason);
        Lost(reason);
    }

    private void Lost(string reason)
    {
        failure ??= reason;
        known.Set();
        lost.Cancel();
        if (options.OnLost is not { } notify) return;
        new Thread(() =>
        {
            Thread.Sleep(Grace);
            if (!ended) notify(reason);
        }) { IsBackground = true }.Start();
    }

    private void GuardTheWatch()
    {
        if (ended || leaving || failure is not null || clock.ElapsedMilliseconds - Interlocked.Read(ref lastTurn) < options.Silence.TotalMilliseconds) return;
        Lost($"{names[0]}, which keeps the workers' store, does not answer any more");
    }

    private string Key(string name, int? rank = null) => WorkerKeys.Of(environment, name, rank);
}
