using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>The queue of files for many workers, without a model: who gets what, and who may commit.</summary>
public sealed class JobTests : IClassFixture<PostgresServer>, IDisposable
{
    private static readonly JobOptions Options = new() { Lease = TimeSpan.FromSeconds(30), Attempts = 3, RetryAfter = TimeSpan.Zero };
    private readonly PostgresServer server;
    private readonly string database;
    private readonly PostgresStore store;
    private readonly ClipCollection collection;
    private readonly JobQueue queue;

    public JobTests(PostgresServer server)
    {
        (this.server, database) = (server, server.NewDatabase());
        store = PostgresStore.OpenAddress(server.Address(database), StoreAccess.Create);
        collection = store.AddCollection(RandomClips.Model());
        queue = new JobQueue(store, collection);
    }

    public void Dispose()
    {
        store.Dispose();
        server.Execute("postgres", $"DROP DATABASE {database} WITH (FORCE)");
    }

    [Fact]
    public void Each_job_is_given_to_one_worker()
    {
        queue.Add(Enumerable.Range(0, 200).Select(i => $"/{i}.mp4"));
        Assert.Equal(0, queue.Add(["/0.mp4", "/1.mp4"]));
        var taken = new System.Collections.Concurrent.ConcurrentBag<Lease>();
        Parallel.For(0, 8, worker =>
        {
            while (queue.TakeFresh($"worker {worker}", Options) is { } lease) taken.Add(lease);
        });
        Assert.Equal(200, taken.Count);
        Assert.Equal(200, taken.Select(lease => lease.Path).Distinct().Count());
        Assert.Equal(200, taken.Select(lease => lease.Token).Distinct().Count());
        Assert.Equal(200, queue.Count()[JobState.Taken]);
    }

    [Fact]
    public void A_worker_that_slept_past_its_lease_stores_nothing()
    {
        queue.Add(["/a.mp4"]);
        var sleeper = Take("sleeper", Options)!;
        Assert.Null(Take("next", Options));
        EndLeases();
        var next = Take("next", Options)!;
        Assert.Equal(2, next.Attempt);
        queue.Renew([sleeper], Options.Lease, default);
        queue.GiveBack([sleeper]);

        Assert.Throws<LeaseLostException>(() => Store(sleeper, 5));
        Assert.Null(store.FindVideo(collection, "/a.mp4"));
        Store(next, 2);
        Assert.Throws<LeaseLostException>(() => Store(sleeper, 5));
        Assert.Equal(2, store.FindVideo(collection, "/a.mp4")!.Clips);
        Store(next, 2);   // a commit whose answer was lost is made again
        Assert.Equal(1, queue.Count()[JobState.Done]);
    }

    [Fact]
    public void What_fails_is_tried_again_and_then_given_up()
    {
        queue.Add(["/a.mp4", "/b.mp4"]);
        for (var attempt = 1; attempt <= Options.Attempts; attempt++)
        {
            var lease = Take("worker", Options)!;
            Assert.Equal(("/a.mp4", attempt), (lease.Path, lease.Attempt));
            queue.Finish(lease, "it is damaged", Options);
            if (attempt < Options.Attempts) server.Execute(database, "UPDATE mvadapter.jobs SET due = now() - interval '1 hour' WHERE path = '/a.mp4'");
        }
        var dead = Assert.Single(queue.List(JobState.Dead, 10));
        Assert.Equal(("/a.mp4", 3, "it is damaged"), (dead.Path, dead.Attempts, dead.Problem));
        Assert.Equal("/b.mp4", Take("worker", Options)!.Path);

        // One that ends its workers is given up too, though nobody lives to say so.
        for (var attempt = 2; attempt <= Options.Attempts; attempt++)
        {
            EndLeases();
            Assert.NotNull(Take("worker", Options));
        }
        EndLeases();
        Assert.Null(Take("worker", Options));
        Assert.Contains("fell silent", queue.List(JobState.Dead, 10)[1].Problem, StringComparison.Ordinal);
        Assert.True(queue.IsEmpty());

        Assert.Equal(2, queue.RetryDead());
        Assert.Equal(1, queue.TakeFresh("worker", Options)!.Attempt);
    }

    [Fact]
    public void The_wait_after_a_failure_doubles()
    {
        var options = Options with { RetryAfter = TimeSpan.FromSeconds(100), Attempts = 100 };
        queue.Add(["/a.mp4"]);
        for (var attempt = 1; attempt <= 8; attempt++)
        {
            queue.Finish(Take("worker", options)!, "damaged", options);
            var wait = Convert.ToDouble(server.Ask(database, "SELECT extract(epoch FROM due - now()) FROM mvadapter.jobs"), null);
            var most = Math.Min(3600, 100 * Math.Pow(2, attempt - 1));
            Assert.InRange(wait, most / 2 - 5, most);
            Assert.Null(Take("worker", options));
            EndLeases();
        }
    }

    [Fact]
    public void What_is_given_back_counts_as_not_taken()
    {
        queue.Add(["/a.mp4"]);
        queue.GiveBack([queue.TakeFresh("worker", Options)!]);
        Assert.Equal(1, queue.TakeFresh("worker", Options)!.Attempt);
    }

    [Fact]
    public void A_queue_needs_PostgreSQL()
    {
        using var folder = new TemporaryFolder();
        using var file = ClipStore.Open(folder.File("index.db"), StoreAccess.Create);
        Assert.Contains("--index postgres://", Assert.Throws<UsageException>(() => new JobQueue(file, collection)).Message, StringComparison.Ordinal);
    }

    private Lease? Take(string worker, JobOptions options) => queue.TakeTried(worker, options) ?? queue.TakeFresh(worker, options);

    private void EndLeases() => server.Execute(database, "UPDATE mvadapter.jobs SET due = now() WHERE due IS NOT NULL");

    private void Store(Lease lease, int clips)
    {
        store.Writing = (session, entry) => JobQueue.Finish(session, lease, entry.Problem, Options);
        store.ReplaceVideo(collection, RandomClips.Entry(lease.Path), RandomClips.Spans(clips), RandomClips.Vectors(new Random(1), clips));
    }
}
