using System.Collections.Concurrent;

namespace MvAdapter.Video;

/// <summary>Items that a thread of its own makes, a few ahead of whoever consumes them.</summary>
public sealed class Prefetch<T> : IDisposable
{
    private readonly CancellationTokenSource stop;
    private readonly BlockingCollection<T> items;
    private readonly Task producer;

    /// <summary>Starts the thread.</summary>
    /// <param name="produce">Gets what takes an item, and waits there while enough are ready; and what tells it to end.</param>
    /// <param name="ahead">How many items may wait.</param>
    /// <param name="cancellation">Ends producing and consuming.</param>
    public Prefetch(Action<Action<T>, CancellationToken> produce, int ahead, CancellationToken cancellation)
    {
        stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        items = new BlockingCollection<T>(ahead);
        var token = stop.Token;
        producer = Task.Factory.StartNew(() =>
        {
            try
            {
                produce(item => items.Add(item, token), token);
            }
            finally
            {
                items.CompleteAdding();
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Whether all has been made.</summary>
    public bool IsDone => producer.IsCompleted;

    /// <summary>The items in their order; what the producer throws comes after those that it made.</summary>
    public IEnumerable<T> Items
    {
        get
        {
            foreach (var item in items.GetConsumingEnumerable()) yield return item;
            producer.GetAwaiter().GetResult();
        }
    }

    /// <summary>Ends the thread and waits for its end. Whoever leaves early does not want to hear how it ended.</summary>
    public void Dispose()
    {
        stop.Cancel();
        producer.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).GetAwaiter().GetResult();
        items.Dispose();
        stop.Dispose();
    }
}
