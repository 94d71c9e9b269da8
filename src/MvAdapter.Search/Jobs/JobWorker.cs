using System.Collections.Concurrent;
using System.Diagnostics;
using MvAdapter.Torch;

namespace MvAdapter.Search;

/// <summary>
/// Indexes the files of a queue, as one worker of many. A file's clips and the end of its job are committed together, and
/// only while the job is still this worker's: however workers die, sleep or lose their connection, each file is indexed once.
/// </summary>
public sealed class JobWorker
{
    private static readonly TimeSpan LongestPoll = TimeSpan.FromSeconds(2);
    private readonly JobOptions options;
    private readonly PostgresStore store;
    private readonly JobQueue queue;
    private readonly Indexer indexer;
    private readonly ConcurrentDictionary<string, Lease> held = new(StringComparer.Ordinal);

    /// <summary>Makes a worker.</summary>
    /// <param name="store">The index, opened for writing; one worker a store.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="encoder">An encoder of its model.</param>
    /// <param name="options">How jobs are treated.</param>
    /// <param name="decoders">Decoders at once; null for one a core.</param>
    /// <exception cref="MvAdapterException">The index is not in PostgreSQL, or the encoder has another model.</exception>
    public JobWorker(ClipStore store, ClipCollection collection, VideoTextEncoder encoder, JobOptions? options = null, int? decoders = null)
    {
        this.options = options ?? new JobOptions();
        queue = new JobQueue(store, collection);
        this.store = (PostgresStore)store;
        // What could not be encoded before is the reason why a job comes again.
        indexer = new Indexer(store, collection, encoder, new IndexOptions
        {
            RetryBad = true, Decoders = decoders, TagsOf = path => held.TryGetValue(path, out var lease) ? lease.Tags : [],
        });
    }

    /// <summary>Who this worker is, in the list of jobs.</summary>
    public string Name { get; } = $"{Environment.MachineName}:{Environment.ProcessId}";

    /// <summary>Works until cancelled, or until no job is left where that is asked for. The calling thread does the model's work.</summary>
    /// <param name="done">Called for each file after its commit.</param>
    /// <param name="lost">Called when another worker took over what this one had, with the reason.</param>
    /// <param name="cancellation">Ends the work; jobs that are not done are given back.</param>
    public void Run(Action<IndexOutcome> done, Action<string> lost, CancellationToken cancellation = default)
    {
        store.Writing = Finish;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var heartbeat = Task.Factory.StartNew(() => Beat(ended.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            Work(done, lost, cancellation);
        }
        finally
        {
            ended.Cancel();
            heartbeat.Wait(CancellationToken.None);
            GiveBack();
            store.Writing = null;
        }
    }

    private void Work(Action<IndexOutcome> done, Action<string> lost, CancellationToken cancellation)
    {
        for (var idle = 0; ;)
        {
            cancellation.ThrowIfCancellationRequested();
            if (Hold(queue.TakeTried(Name, options) ?? queue.TakeFresh(Name, options)) is { } job)
            {
                idle = 0;
                Index(job, done, lost, cancellation);
            }
            else if (options.ExitWhenEmpty && queue.IsEmpty()) return;
            else
            {
                // A worker that waits leaves the memory to those that work.
                if (idle == 0) TorchRuntime.EmptyCache();
                // Sooner while work may come back, later when none has come for long; never all workers at one moment.
                var wait = LongestPoll * Math.Min(1, 0.1 * ++idle) * (0.5 + Random.Shared.NextDouble() / 2);
                cancellation.WaitHandle.WaitOne(wait);
            }
        }
    }

    private void Index(Lease first, Action<IndexOutcome> done, Action<string> lost, CancellationToken cancellation)
    {
        try
        {
            indexer.Index(Files(first), outcome =>
            {
                // What needed no writing has not ended its job yet.
                if (held.TryGetValue(outcome.Path, out var lease) && !lease.Ended) queue.Finish(lease, outcome.Problem, options);
                held.TryRemove(outcome.Path, out _);
                done(outcome);
            }, cancellation);
        }
        catch (LeaseLostException e)
        {
            // The others that were read ahead are as old: somebody else may begin them anew.
            GiveBack();
            lost(e.Message);
        }
    }

    // It ends when nothing is left, so that a batch that waits for more is encoded, and after a while, for the sake of what was
    // tried before. That goes alone: a file that ends its worker must not use up the attempts of those read ahead with it.
    private IEnumerable<string> Files(Lease first)
    {
        var clock = Stopwatch.StartNew();
        yield return first.Path;
        while (first.Attempt == 1 && clock.Elapsed < options.Lease && Hold(queue.TakeFresh(Name, options)) is { } next) yield return next.Path;
    }

    private Lease? Hold(Lease? lease)
    {
        if (lease is not null) held[lease.Path] = lease;
        return lease;
    }

    // Within the transaction that stores the video; called again when that is.
    private void Finish(PostgresSession session, VideoEntry entry)
    {
        if (!held.TryGetValue(entry.Path, out var lease)) return;
        JobQueue.Finish(session, lease, entry.Problem, options);
        lease.Ended = true;
    }

    private void Beat(CancellationToken ended)
    {
        while (!ended.WaitHandle.WaitOne(options.Lease / 3))
        {
            try
            {
                if (!held.IsEmpty) queue.Renew(held.Values, options.Lease, ended);
            }
            catch (Exception e) when (e is MvAdapterException or OperationCanceledException)
            {
                // The next one may succeed; if none does, the lease is lost, which the commit will find out.
            }
        }
    }

    private void GiveBack()
    {
        var leases = held.Values.ToArray();
        held.Clear();
        if (leases.Length > 0) queue.GiveBack(leases);
    }
}
