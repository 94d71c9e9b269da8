using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Support;

/// <summary>Workers as threads of this process, which meet in a file.</summary>
internal static class Together
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Skips the test where this libtorch has no process groups.</summary>
    public static void SkipUnlessPossible() =>
        Assert.SkipUnless(ProcessGroup.IsAvailable(Device.Cpu), "this build of libmvtorch has no Gloo (on Debian: libgloo-dev)");

    /// <summary>Runs work in so many workers that have met; gives what each returned, in the order of ranks.</summary>
    public static T[] Run<T>(int count, Func<Workers, T> work, WorkersOptions? options = null) => Apart(count, environment =>
    {
        using var workers = Workers.Join(environment, Device.Cpu, new Dictionary<string, string>(), options ?? new WorkersOptions { JoinTimeout = Limit });
        return work(workers);
    });

    /// <summary>Runs work in so many threads that may meet; the first error of any is thrown.</summary>
    public static T[] Apart<T>(int count, Func<WorkerEnvironment, T> work)
    {
        SkipUnlessPossible();
        using var folder = new TemporaryFolder();
        var results = new T[count];
        var errors = new Exception?[count];
        var threads = Enumerable.Range(0, count).Select(rank => new Thread(() =>
        {
            try
            {
                TorchRuntime.Threads = 1;   // of this thread's own team
                results[rank] = work(new WorkerEnvironment(rank, count, rank, count) { File = folder.File("store") });
            }
            catch (Exception e)
            {
                errors[rank] = e;
            }
        })).ToList();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) Assert.True(thread.Join(Limit), "the workers hang");
        return errors.OfType<Exception>().FirstOrDefault() is { } first ? throw new AggregateException(errors.OfType<Exception>()) : results;
    }
}
