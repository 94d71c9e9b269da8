using System.Threading.Channels;

namespace MvAdapter;

/// <summary>
/// Requests of many users, worked off by one thread in batches. It takes what is waiting and waits for no more: alone, a
/// request is answered at once; under load, batches grow by themselves.
/// </summary>
/// <typeparam name="TInput">What is asked.</typeparam>
/// <typeparam name="TOutput">The answer.</typeparam>
/// <param name="capacity">The most requests that wait.</param>
/// <param name="batchSize">The most that are worked off together.</param>
public sealed class BatchQueue<TInput, TOutput>(int capacity, int batchSize)
{
    private readonly Channel<Job> jobs = Channel.CreateBounded<Job>(new BoundedChannelOptions(capacity) { SingleReader = true });
    private volatile bool closed;

    /// <summary>The number of requests that wait.</summary>
    public int Length => jobs.Reader.Count;

    /// <summary>Told the size of each batch.</summary>
    public Action<int> OnBatch { get; init; } = static _ => { };

    /// <summary>Waits in the queue, and gives the answer.</summary>
    /// <exception cref="OverloadException">The queue is full.</exception>
    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public async Task<TOutput> Ask(TInput input, CancellationToken cancellation)
    {
        var job = new Job(input, cancellation);
        if (!jobs.Writer.TryWrite(job)) throw closed ? Closed() : new OverloadException($"{capacity} queries are waiting already: try again in a moment");
        return await job.Answer.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Takes no more requests; those that nobody will work off any more fail. To be called when <see cref="Run"/> has ended.</summary>
    public void Close()
    {
        closed = true;
        jobs.Writer.TryComplete();
        while (jobs.Reader.TryRead(out var job)) job.Fail(Closed());
    }

    private static ObjectDisposedException Closed() => new("the queue");

    /// <summary>
    /// Works on the calling thread until it is cancelled. Of what is waiting, requests with the same key are worked off
    /// together; what the work throws is the answer to those of that key.
    /// </summary>
    /// <exception cref="OperationCanceledException">It was cancelled, which is how it ends.</exception>
    public void Run<TKey>(Func<TInput, TKey> keyOf, Action<TKey, IReadOnlyList<Job>> work, CancellationToken cancellation)
    {
        var batch = new List<Job>(batchSize);
        while (true)
        {
            jobs.Reader.WaitToReadAsync(cancellation).AsTask().GetAwaiter().GetResult();
            while (batch.Count < batchSize && jobs.Reader.TryRead(out var job))
                if (!job.IsCancelled) batch.Add(job);
            foreach (var group in batch.GroupBy(job => keyOf(job.Input)))
            {
                Job[] together = [.. group];
                OnBatch(together.Length);
                try
                {
                    work(group.Key, together);
                }
                catch (Exception e)
                {
                    cancellation.ThrowIfCancellationRequested();
                    foreach (var job in together) job.Fail(e);
                }
            }
            batch.Clear();
        }
    }

    /// <summary>A request and its answer.</summary>
    public sealed class Job(TInput input, CancellationToken cancellation)
    {
        private readonly TaskCompletionSource<TOutput> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>What is asked.</summary>
        public TInput Input => input;

        /// <summary>Whether nobody waits for the answer any more.</summary>
        public bool IsCancelled => cancellation.IsCancellationRequested;

        /// <summary>The answer.</summary>
        public Task<TOutput> Answer => answer.Task;

        /// <summary>Answers.</summary>
        public void Complete(TOutput output) => answer.TrySetResult(output);

        /// <summary>Answers with an exception, where there is no answer yet.</summary>
        public void Fail(Exception exception) => answer.TrySetException(exception);
    }
}
