using System.Collections.Concurrent;

namespace MvAdapter;

/// <summary>A thread for each of several devices, which take what is to be encoded from one queue; results come in the order of the inputs.</summary>
internal sealed class DeviceLanes : IDisposable
{
    private const int AheadOfEach = 2;
    private readonly BlockingCollection<Action<VideoTextEncoder>> work = [];
    private readonly List<Thread> threads;

    /// <summary>A lane for each encoder, all of the same model.</summary>
    public DeviceLanes(IReadOnlyList<VideoTextEncoder> encoders) => threads = [.. encoders.Select(encoder =>
    {
        var thread = new Thread(() =>
        {
            foreach (var item in work.GetConsumingEnumerable()) item(encoder);
        }) { IsBackground = true, Name = $"encoding on {encoder.Model.Device}" };
        thread.Start();
        return thread;
    })];

    /// <summary>Encodes items as they are asked for, a few ahead of whoever reads the results.</summary>
    public IEnumerable<TResult> Run<TItem, TResult>(IEnumerable<TItem> items, Func<VideoTextEncoder, TItem, TResult> encode)
    {
        var waiting = new Queue<Task<TResult>>();
        foreach (var item in items)
        {
            var done = new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously);
            work.Add(encoder =>
            {
                try
                {
                    done.SetResult(encode(encoder, item));
                }
                catch (Exception e)
                {
                    done.SetException(e);
                }
            });
            waiting.Enqueue(done.Task);
            while (waiting.Count > 0 && (waiting.Count >= AheadOfEach * threads.Count || waiting.Peek().IsCompleted)) yield return waiting.Dequeue().GetAwaiter().GetResult();
        }
        while (waiting.Count > 0) yield return waiting.Dequeue().GetAwaiter().GetResult();
    }

    /// <summary>Ends the threads once they have done what they were given.</summary>
    public void Dispose()
    {
        work.CompleteAdding();
        foreach (var thread in threads) thread.Join();
        work.Dispose();
    }
}
