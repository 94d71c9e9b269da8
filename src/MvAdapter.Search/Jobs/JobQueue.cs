namespace MvAdapter.Search;

/// <summary>
/// The files that workers on any number of machines are to index into a collection in PostgreSQL. Times are the database's:
/// the workers' clocks do not matter.
/// </summary>
public sealed class JobQueue
{
    /// <summary>The longest wait after a failure.</summary>
    private const double MostRetrySeconds = 3600;
    private const int PathsAtOnce = 10_000;
    private readonly PostgresDatabase database;
    private readonly ClipCollection collection;

    /// <summary>The queue of a collection.</summary>
    /// <exception cref="UsageException">The store is not in PostgreSQL.</exception>
    public JobQueue(ClipStore store, ClipCollection collection)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(collection);
        database = store is PostgresStore postgres ? postgres.Database
            : throw new UsageException($"{TextForMessage.Quote(store.Name)}: a queue for many workers needs an index in PostgreSQL; name one by --index postgres://...");
        this.collection = collection;
    }

    /// <summary>Adds files by absolute path. One that is done or dead is to be looked at again; one that waits or is taken stays as it is.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="tags">Tags that their videos get besides those they have.</param>
    /// <returns>How many wait anew.</returns>
    public int Add(IEnumerable<string> paths, IReadOnlyList<string>? tags = null) => paths.Chunk(PathsAtOnce).Sum(some => database.Run(session => session.Execute("""
        INSERT INTO mvadapter.jobs AS j (collection, path, tags) SELECT DISTINCT $1::bigint, path COLLATE "C", $3::text[] FROM unnest($2::text[]) path
        ON CONFLICT (collection, path) DO UPDATE SET state = 'ready', due = now(), attempts = 0, problem = NULL, tags = EXCLUDED.tags WHERE j.state IN ('done', 'dead')
        """, collection.Id, some, tags?.ToArray() ?? [])));

    /// <summary>Lets workers try again what was given up.</summary>
    /// <returns>How many.</returns>
    public int RetryDead() => database.Run(session => session.Execute(
        "UPDATE mvadapter.jobs SET state = 'ready', due = now(), attempts = 0 WHERE collection = $1 AND state = 'dead'", collection.Id));

    /// <summary>How many jobs are in each state.</summary>
    public IReadOnlyDictionary<JobState, long> Count()
    {
        var found = database.Run(session => session.Rows("SELECT state, count(*) FROM mvadapter.jobs WHERE collection = $1 GROUP BY state",
            row => (State: Parse(row.GetString(0)), Count: row.GetInt64(1)), collection.Id)).ToDictionary(row => row.State, row => row.Count);
        return Enum.GetValues<JobState>().ToDictionary(state => state, state => found.GetValueOrDefault(state));
    }

    /// <summary>The first jobs in a state, by path.</summary>
    public IReadOnlyList<IndexJob> List(JobState state, int most) => database.Run(session => session.Rows(
        "SELECT path, state, attempts, worker, problem FROM mvadapter.jobs WHERE collection = $1 AND state = $2 ORDER BY path LIMIT $3",
        row => new IndexJob(row.GetString(0), Parse(row.GetString(1)), row.GetInt32(2), row.IsDBNull(3) ? null : row.GetString(3), row.IsDBNull(4) ? null : row.GetString(4)),
        collection.Id, Text(state), most));

    /// <summary>Takes the job that is due first among those that were never tried, or null.</summary>
    internal Lease? TakeFresh(string worker, JobOptions options) => database.Run(session => Take(session, worker, options, "attempts = 0"));

    /// <summary>Takes the job that is due first among those that were tried: they failed, or their worker fell silent and the lease has ended.</summary>
    internal Lease? TakeTried(string worker, JobOptions options) => database.InTransaction(session =>
    {
        // Whatever ended its workers so often would end the next one too.
        session.Execute("""
            UPDATE mvadapter.jobs SET state = 'dead', due = NULL, problem = coalesce(problem || '; ', '') || 'its worker fell silent'
            WHERE id IN (
                SELECT id FROM mvadapter.jobs WHERE collection = $1 AND due <= now() AND attempts > 0 AND attempts >= $2 AND state = 'taken'
                FOR UPDATE SKIP LOCKED)
            """, collection.Id, options.Attempts);
        return Take(session, worker, options, "attempts > 0");
    });

    /// <summary>Lengthens leases; those that were lost stay lost.</summary>
    internal int Renew(IEnumerable<Lease> leases, TimeSpan length, CancellationToken cancellation) => database.Run(session => session.Execute(
        "UPDATE mvadapter.jobs SET due = now() + make_interval(secs => $1) WHERE state = 'taken' AND (id, token) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))",
        [length.TotalSeconds, .. Keys(leases)]), cancellation);

    /// <summary>Gives jobs back as if they had not been taken.</summary>
    internal int GiveBack(IEnumerable<Lease> leases) => database.Run(session => session.Execute(
        "UPDATE mvadapter.jobs SET state = 'ready', due = now(), attempts = attempts - 1 WHERE state = 'taken' AND (id, token) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[]))",
        [.. Keys(leases)]));

    /// <summary>Ends a job in a transaction of its own.</summary>
    internal void Finish(Lease lease, string? problem, JobOptions options) =>
        database.InTransaction(session => { Finish(session, lease, problem, options); return true; });

    /// <summary>
    /// Ends a job: done, to be tried again later, or given up. Within the transaction that stores its video, whose commit
    /// this guards: who lost the lease stores nothing.
    /// </summary>
    internal static void Finish(PostgresSession session, Lease lease, string? problem, JobOptions options)
    {
        var state = problem is null ? JobState.Done : lease.Attempt >= options.Attempts ? JobState.Dead : JobState.Ready;
        var wait = Math.Min(MostRetrySeconds, options.RetryAfter.TotalSeconds * Math.Pow(2, lease.Attempt - 1)) * (0.5 + Random.Shared.NextDouble() / 2);
        var changed = session.Execute("""
            UPDATE mvadapter.jobs SET state = $3, due = CASE WHEN $3 = 'ready' THEN now() + make_interval(secs => $4) END, problem = $5
            WHERE id = $1 AND token = $2 AND state = 'taken'
            """, lease.Id, lease.Token, Text(state), wait, problem);
        // A transaction whose commit broke is done again, and may find that it had been committed after all.
        if (changed == 0 && session.Number("SELECT 1 FROM mvadapter.jobs WHERE id = $1 AND token = $2 AND state = $3", lease.Id, lease.Token, Text(state)) is null)
            throw new LeaseLostException(lease.Path);
    }

    /// <summary>Whether a job waits, now or later, or is in somebody's hands.</summary>
    internal bool IsEmpty() => database.Run(session => session.Number("SELECT 1 FROM mvadapter.jobs WHERE collection = $1 AND due IS NOT NULL LIMIT 1", collection.Id)) is null;

    private Lease? Take(PostgresSession session, string worker, JobOptions options, string which) => session.Rows($"""
        UPDATE mvadapter.jobs SET state = 'taken', due = now() + make_interval(secs => $3), attempts = attempts + 1,
            token = nextval('mvadapter.job_tokens'), worker = $2
        WHERE id = (SELECT id FROM mvadapter.jobs WHERE collection = $1 AND due <= now() AND {which} ORDER BY due, id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id, path, token, attempts, tags
        """, row => new Lease(row.GetInt64(0), row.GetString(1), row.GetInt64(2), row.GetInt32(3)) { Tags = row.GetFieldValue<string[]>(4) },
        collection.Id, worker, options.Lease.TotalSeconds).FirstOrDefault();

    private static object?[] Keys(IEnumerable<Lease> leases)
    {
        var all = leases.ToArray();
        return [all.Select(lease => lease.Id).ToArray(), all.Select(lease => lease.Token).ToArray()];
    }

    private static string Text(JobState state) => state switch
    {
        JobState.Ready => "ready",
        JobState.Taken => "taken",
        JobState.Done => "done",
        _ => "dead",
    };

    private static JobState Parse(string text) => Enum.Parse<JobState>(text, ignoreCase: true);
}
