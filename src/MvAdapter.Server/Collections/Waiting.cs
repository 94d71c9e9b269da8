namespace MvAdapter.Server;

/// <summary>Work that waits for a child process most of the time: on a thread of its own, since the pool's few are for requests.</summary>
internal static class Waiting
{
    public static Task<T> Run<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
