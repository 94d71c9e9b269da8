namespace MvAdapter.Tests.Batching;

public sealed class BatchQueueTests
{
    [Fact]
    public async Task What_waits_is_worked_off_together_and_a_failure_is_its_own()
    {
        var sizes = new List<int>();
        var queue = new BatchQueue<int, string>(capacity: 8, batchSize: 5) { OnBatch = sizes.Add };
        using var gone = new CancellationTokenSource();
        var answers = Enumerable.Range(0, 6).Select(i => queue.Ask(i, i == 1 ? gone.Token : default)).ToArray();
        await gone.CancelAsync();
        using var stop = new CancellationTokenSource();
        var thread = new Thread(() =>
        {
            try
            {
                queue.Run(i => i % 2 == 0, (even, jobs) =>
                {
                    foreach (var job in jobs.Where(_ => even)) job.Complete($"{job.Input}");
                    if (!even) throw new InvalidOperationException("odd");
                }, stop.Token);
            }
            catch (OperationCanceledException)
            {
                // The test is over.
            }
        });
        thread.Start();
        Assert.Equal(["0", "2", "4"], await Task.WhenAll(answers[0], answers[2], answers[4]));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answers[1]);
        await Assert.ThrowsAsync<InvalidOperationException>(() => answers[3]);
        await Assert.ThrowsAsync<InvalidOperationException>(() => answers[5]);
        Assert.Equal([3, 2], sizes);   // 0 2 4 and 3 5: nobody waits for 1
        await stop.CancelAsync();
        thread.Join();
    }

    [Fact]
    public async Task A_full_queue_refuses_at_once()
    {
        var queue = new BatchQueue<int, int>(capacity: 2, batchSize: 4);
        _ = queue.Ask(1, default);
        _ = queue.Ask(2, default);
        Assert.Equal(2, queue.Length);
        await Assert.ThrowsAsync<OverloadException>(() => queue.Ask(3, default));
    }

    [Fact]
    public async Task A_closed_queue_leaves_nobody_waiting()
    {
        var queue = new BatchQueue<int, int>(capacity: 2, batchSize: 4);
        var waiting = queue.Ask(1, default);
        queue.Close();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.Ask(2, default));
    }
}
