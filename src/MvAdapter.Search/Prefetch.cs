using System.Collections.Concurrent;

namespace MvAdapter.Search;

/// <summary>Enumerates on a thread of its own, a few items ahead of whoever consumes them.</summary>
internal static class Prefetch
{
    /// <summary>The items in their order. An exception of the source comes where its item would have.</summary>
    public static IEnumerable<T> From<T>(IEnumerable<T> source, int ahead, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var items = new BlockingCollection<T>(ahead);
        var producer = Task.Factory.StartNew(() =>
        {
            try
            {
                foreach (var item in source) items.Add(item, stop.Token);
            }
            finally
            {
                items.CompleteAdding();
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            foreach (var item in items.GetConsumingEnumerable(cancellation)) yield return item;
            producer.GetAwaiter().GetResult();
        }
        finally
        {
            stop.Cancel();
            // Whoever leaves early does not want to hear how the producer ended, only that it has.
            producer.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Wait(CancellationToken.None);
        }
    }
}
