using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index queue</c>, <c>index work</c> and <c>index jobs</c>: many workers on one index in PostgreSQL.</summary>
internal static class IndexJobCommands
{
    private const int MostListed = 100;

    /// <summary><c>index queue</c>: files for the workers.</summary>
    public static Command Queue()
    {
        var command = new Command("queue", """
            Leaves videos to the workers ("index work") of an index in PostgreSQL. They see the files under the same absolute paths.
            A file that is done already is looked at again; unchanged, that costs no encoding.

            Examples:
              ./run index queue /videos --index postgres://me@db/videos --clip hf:openai/clip-vit-base-patch16
              ./run index queue /videos/new --index postgres://me@db/videos
            """);
        var paths = new Argument<string[]>("paths") { Description = "Video files, and folders of them at any depth; a folder of nothing but JPEG or PNG pictures is a video", Arity = ArgumentArity.OneOrMore };
        command.Add(paths);
        var pictures = IndexAddCommand.PicturesOption();
        command.Add(pictures);
        var tags = new Option<string[]>("--tag") { Description = "A word to filter by; may be repeated", HelpName = "WORD" };
        command.Add(tags);
        var location = new IndexLocation(command);
        var model = new CollectionOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            var closed = new List<string>();
            var files = VideoFiles.Find(parsed.GetValue(paths)!, closed.Add, parsed.GetValue(pictures));
            using var store = location.Open(parsed, StoreAccess.Create);
            var queue = new JobQueue(store, model.Find(parsed, store, new ClipSplitting(), cancellation));
            var added = queue.Add(files, parsed.GetValue(tags));
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {added} of {files.Count} videos wait anew");
            foreach (var folder in closed) Terminal.Warn($"the folder {TextForMessage.Quote(folder)} cannot be read");
            return closed.Count > 0 ? ExitCode.Partial : ExitCode.Success;
        });
        return command;
    }

    /// <summary><c>index work</c>: takes files from the queue.</summary>
    public static Command Work()
    {
        var usual = new JobOptions();
        var command = new Command("work", """
            Takes videos from the queue of an index in PostgreSQL, one after another, beside any number of other workers. A worker that
            is stopped by Ctrl-C gives back what it has; the jobs of one that dies or hangs go to others when its lease ends.

            Examples:
              ./run index work --index postgres://me@db/videos
              ./run index work --index postgres://me@db/videos --exit-when-empty
            """);
        var location = new IndexLocation(command);
        var exit = new Option<bool>("--exit-when-empty") { Description = "End when no job is left, not even in another worker's hands" };
        var lease = new Option<double>("--lease") { Description = "Seconds that a worker may be silent before others take its jobs", DefaultValueFactory = _ => usual.Lease.TotalSeconds, HelpName = "S" };
        var attempts = new Option<int>("--attempts") { Description = "How often a video is tried", DefaultValueFactory = _ => usual.Attempts, HelpName = "N" };
        var retryAfter = new Option<double>("--retry-after") { Description = "Seconds until the second attempt; doubles with each", DefaultValueFactory = _ => usual.RetryAfter.TotalSeconds, HelpName = "S" };
        var decoders = new Option<int?>("--workers") { Description = "Decoders at once (by default one a core)", HelpName = "N" };
        foreach (var option in new Option[] { exit, lease, attempts, retryAfter, decoders }) command.Add(option);
        var model = new CollectionOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(lease) is not (>= 1 and <= 86400)) throw new UsageException("--lease must be from 1 to 86400 seconds");
            if (parsed.GetValue(attempts) < 1) throw new UsageException("--attempts must be at least 1");
            if (parsed.GetValue(retryAfter) is not (>= 0 and <= 3600)) throw new UsageException("--retry-after must be from 0 to 3600 seconds");
            using var store = location.Open(parsed, StoreAccess.Write);
            var (collection, encoder) = model.Load(parsed, store, null, cancellation);
            using (encoder)
            {
                var worker = new JobWorker(store, collection, encoder, new JobOptions
                {
                    Lease = TimeSpan.FromSeconds(parsed.GetValue(lease)),
                    Attempts = parsed.GetValue(attempts),
                    RetryAfter = TimeSpan.FromSeconds(parsed.GetValue(retryAfter)),
                    ExitWhenEmpty = parsed.GetValue(exit),
                }, parsed.GetValue(decoders));
                return Run(worker, store.Name, cancellation);
            }
        });
        return command;
    }

    /// <summary><c>index jobs</c>: what became of the queue.</summary>
    public static Command Jobs()
    {
        var command = new Command("jobs", $"""
            Counts the jobs of an index in PostgreSQL, and lists those that were given up and those in workers' hands (the first {MostListed}).

            Examples:
              ./run index jobs --index postgres://me@db/videos
              ./run index jobs --index postgres://me@db/videos --retry-dead
            """);
        var location = new IndexLocation(command);
        var retry = new Option<bool>("--retry-dead") { Description = "Let workers try again what was given up" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Add(retry);
        command.Add(json);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, parsed.GetValue(retry) ? StoreAccess.Write : StoreAccess.Read);
            var queues = store.Collections().Select(collection => new JobQueue(store, collection)).ToList();
            if (parsed.GetValue(retry)) Terminal.Say($"{queues.Sum(queue => queue.RetryDead())} jobs wait anew");
            var counts = Enum.GetValues<JobState>().ToDictionary(state => state, state => queues.Sum(queue => queue.Count()[state]));
            var listed = queues.SelectMany(queue => new[] { JobState.Dead, JobState.Taken }.SelectMany(state => queue.List(state, MostListed))).ToList();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new
                {
                    index = store.Name,
                    ready = counts[JobState.Ready],
                    taken = counts[JobState.Taken],
                    done = counts[JobState.Done],
                    dead = counts[JobState.Dead],
                    jobs = listed.Select(job => new { video = job.Path, state = Word(job.State), attempts = job.Attempts, worker = job.Worker, problem = job.Problem }),
                }));
                return ExitCode.Success;
            }
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: {string.Join(", ", counts.Select(pair => $"{pair.Value} {Word(pair.Key)}"))}");
            foreach (var job in listed)
                Console.WriteLine($"  {Word(job.State)} after {job.Attempts} attempts, {TextForMessage.Quote(job.Worker ?? "")}: {TextForMessage.Quote(job.Problem ?? job.Path)}");
            return ExitCode.Success;
        });
        return command;
    }

    private static int Run(JobWorker worker, string name, CancellationToken cancellation)
    {
        var (videos, clips, bad) = (0, 0L, 0);
        using (var progress = Terminal.Begin("videos", 0))
        {
            worker.Run(outcome =>
            {
                videos++;
                clips += outcome.Clips;
                if (outcome.Problem is { } problem)
                {
                    bad++;
                    progress.Clear();
                    Terminal.Warn($"not indexed: {problem}");
                }
                progress.Report(videos);
            }, reason =>
            {
                progress.Clear();
                Terminal.Warn(reason);
            }, cancellation);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TextForMessage.Quote(name)}: {videos - bad} videos and {clips} clips by {worker.Name}; {bad} attempts failed"));
        return bad > 0 ? ExitCode.Partial : ExitCode.Success;
    }

    private static string Word(JobState state) => state.ToString().ToLowerInvariant();
}
