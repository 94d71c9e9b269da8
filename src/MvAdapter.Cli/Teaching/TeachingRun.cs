using System.Diagnostics;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Search;
using MvAdapter.Teaching;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>
/// From what an index was taught to an adapter, and what it is worth. Each stage leaves its result in the folder, so that a run that was
/// killed goes on where it was, with the captions that it began with.
/// </summary>
internal sealed class TeachingRun
{
    private static readonly TimeSpan StateEvery = TimeSpan.FromSeconds(1);
    private readonly ClipStore store;
    private readonly ClipCollection collection;
    private readonly TeachingFolder folder;
    private readonly Func<ModelSource, ModelSource> onThisMachine;
    private readonly string precision;
    private readonly Terminal.Progress bar;
    private readonly Stopwatch sinceState = Stopwatch.StartNew();
    private TaughtEmbeddings? before;   // all clips by the model that the collection has: the same for each part
    private ClipConfig? size;
    private TeachingState state = new("train", "", 0, 0, 1, 1);

    /// <summary>A run in a folder, begun or to begin.</summary>
    public TeachingRun(ClipStore store, ClipCollection collection, TeachingFolder folder, Func<ModelSource, ModelSource> onThisMachine, string precision, Terminal.Progress bar) =>
        (this.store, this.collection, this.folder, this.onThisMachine, this.precision, this.bar) = (store, collection, folder, onThisMachine, precision, bar);

    /// <summary>What is trained.</summary>
    public required string Method { get; init; }

    /// <summary>Whether all captions are learnt from, and nothing is measured.</summary>
    public required bool All { get; init; }

    /// <summary>Trains and measures what is not yet.</summary>
    /// <returns>The report; null where nothing is measured.</returns>
    /// <exception cref="MvAdapterException">There are too few captions, or something failed; the folder's state says so too.</exception>
    public TeachingReport? Run(long seed, CancellationToken cancellation)
    {
        try
        {
            var report = Work(seed, cancellation);
            Tell(state with { Stage = "done", Message = report is null ? "not measured" : report.IsBetter ? "better beyond the interval" : "not better beyond the interval" }, now: true);
            return report;
        }
        catch (OperationCanceledException)
        {
            Tell(state with { Stage = "stopped" }, now: true);
            throw;
        }
        catch (Exception e) when (e is MvAdapterException or Torch.TorchException)
        {
            TellOfFailure(e);
            throw;
        }
    }

    private TeachingReport? Work(long seed, CancellationToken cancellation)
    {
        var known = folder.ReadSnapshot();
        if (known is not null && known.Collection != collection.Id) throw new UsageException($"the run in {TextForMessage.Quote(folder.Path)} belongs to the collection {known.Collection}; choose another --output");
        if (known is not null && (known.Method != Method || known.All != All))
            throw new UsageException($"the run in {TextForMessage.Quote(folder.Path)} was begun with --method {known.Method}{(known.All ? " --all" : "")}; choose another --output");
        var snapshot = known ?? Snapshot(seed);
        var clips = snapshot.Clips;
        var folds = All ? [] : TeachingSplit.Of(clips, snapshot.Seed);
        if (known is null) folder.Begin(snapshot);
        state = state with { Parts = Math.Max(1, folds.Count) };
        var wrong = snapshot.Wrong.Sum(clip => clip.Captions.Count);
        Terminal.Say($"{clips.Sum(clip => clip.Captions.Count)} captions {(wrong > 0 ? $"(and wrong answers to them: {wrong}) " : "")}of {clips.Count} clips of {clips.Select(clip => clip.Video).Distinct().Count()} videos; " + (All ? "all are learnt from" : folds.Count == 1
            ? $"{folds[0].Held.Count} clips of other videos are held out" : $"too few to hold some out, so {folds.Count} parts are measured in turn, each by a model that learns from the others"));
        var queries = new List<HeldQuery>();
        foreach (var (part, fold) in folds.Index()) queries.AddRange(folder.ReadRanks(part) ?? Measure(snapshot, fold, part, cancellation));
        if (!File.Exists(folder.Adapter))
        {
            var made = folds.Count == 1 ? folder.Part(0) : Train(snapshot, clips, snapshot.Wrong, folds.Count, cancellation);
            Files.AtomicFile.Write(folder.Adapter, stream =>
            {
                using var file = File.OpenRead(Result(made));
                file.CopyTo(stream);
            });
        }
        if (All) return null;
        var taught = folds.Count == 1 ? [.. folds[0].Train.Select(i => clips[i])] : clips;
        var report = TeachingReport.Of(queries, taught.Count, taught.Sum(clip => clip.Captions.Count), folds.Count, snapshot.Seed);
        report.Write(folder.Report);
        return report;
    }

    private TeachingSnapshot Snapshot(long seed)
    {
        var taught = Taught.Of(store, collection);
        if (taught.Gone > 0) Terminal.Warn($"{taught.Gone} captions and marks are of videos that have changed or are gone, and are left out");
        return new TeachingSnapshot(collection.Id, seed, taught.Clips, Taught.Others(store, collection, (int)seed)) { Wrong = taught.Wrong, Method = Method, All = All };
    }

    private List<HeldQuery> Measure(TeachingSnapshot snapshot, TeachingFold fold, int part, CancellationToken cancellation)
    {
        before ??= Encode("before", collection.Model.ToSource(), [.. snapshot.Clips, .. snapshot.Others], part, cancellation);
        TaughtClip[] held = [.. fold.Held.Select(i => snapshot.Clips[i])];
        var unseen = held.Select(clip => clip.Video).ToHashSet(StringComparer.Ordinal);
        var run = Train(snapshot, [.. fold.Train.Select(i => snapshot.Clips[i])], [.. snapshot.Wrong.Where(clip => !unseen.Contains(clip.Video))], part, cancellation);
        int[] others = [.. Enumerable.Range(0, snapshot.Others.Count).Where(i => !unseen.Contains(snapshot.Others[i].Video))];
        var after = Encode("after", collection.Model.ToSource() with { Adapter = Result(run), AdapterConfig = null }, [.. held, .. others.Select(i => snapshot.Others[i])], part, cancellation);
        var ranksBefore = TeachingMeasurement.Ranks(before, fold.Held, [.. others.Select(i => snapshot.Clips.Count + i)]);
        var ranksAfter = TeachingMeasurement.Ranks(after, [.. Enumerable.Range(0, held.Length)], [.. Enumerable.Range(held.Length, others.Length)]);
        var queries = held.SelectMany(clip => clip.Captions.Select(caption => (Clip: clip, Caption: caption))).Zip(ranksBefore, ranksAfter)
            .Select(item => item.Second is { } b && item.Third is { } a
                ? new HeldQuery(item.First.Caption, item.First.Clip.Video, item.First.Clip.Path, item.First.Clip.Start, item.First.Clip.End, b, a, held.Length + others.Length) : null).OfType<HeldQuery>().ToList();
        TeachingFolder.Write(folder.Ranks(part), queries);
        return queries;
    }

    private TaughtEmbeddings Encode(string which, ModelSource model, IReadOnlyList<TaughtClip> clips, int part, CancellationToken cancellation)
    {
        using var encoder = ModelOptions.Load(onThisMachine(model), cancellation);
        size ??= encoder.Model.Clip.Config;
        return TeachingMeasurement.Encode(encoder, clips, new Counted(done =>
        {
            bar.Total = clips.Count;
            bar.Report(done, $"measuring {which}");
            Tell(state with { Stage = "measure", Message = which, Step = done, Total = clips.Count, Part = part + 1 });
        }), cancellation);
    }

    private ClipConfig Size(ModelSource source, CancellationToken cancellation)
    {
        if (size is not null) return size;
        using var encoder = ModelOptions.Load(source with { Adapter = null, AdapterConfig = null }, cancellation);
        return size = encoder.Model.Clip.Config;
    }

    // Trains in a folder of its own; a run that is finished there costs its loading.
    private string Train(TeachingSnapshot snapshot, IReadOnlyList<TaughtClip> clips, IReadOnlyList<TaughtClip> wrong, int part, CancellationToken cancellation)
    {
        var run = folder.Part(part);
        if (File.Exists(Path.Combine(run, "finished"))) return run;
        var captions = folder.File($"part{part}.jsonl");
        var (source, sampling) = (onThisMachine(collection.Model.ToSource()), FrameSampling.Parse(collection.Model.Sampling));
        TeachingRecipe.WriteCaptions(captions, clips, wrong, sampling.MaxFrames);
        var config = TeachingRecipe.Config(source.Clip, Size(source, cancellation), sampling, collection.Model.Words, clips.Count, clips.Sum(clip => clip.Captions.Count), captions, snapshot.Seed, Method) with
        {
            Vocabulary = source.Vocabulary ?? "",
            Precision = precision,
        };
        using (var trainer = new Trainer(config, new TrainerOptions
        {
            Output = run,
            Device = source.Device,
            OnMessage = message =>
            {
                bar.Clear();
                Terminal.Say(message);
                Tell(state with { Message = message });
            },
            OnStep = step =>
            {
                bar.Total = step.Total;
                bar.Report(step.Step, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:0.000}"));
                Tell(state with { Stage = "train", Step = step.Step, Total = step.Total, Part = part + 1 });
            },
        }, cancellation))
        {
            trainer.Run(cancellation);
        }
        File.WriteAllText(Path.Combine(run, "finished"), "");
        return run;
    }

    private static string Result(string run) => new RunFolder(run) is var folder && File.Exists(folder.Best) ? folder.Best : folder.Adapter;

    // Where it fails because nothing can be written, this cannot be written either.
    private void TellOfFailure(Exception failure)
    {
        try
        {
            if (Directory.Exists(folder.Path)) Tell(state with { Stage = "failed", Message = failure.Message }, now: true);
        }
        catch (MvAdapterException)
        {
            // What failed is told by who called.
        }
    }

    private void Tell(TeachingState next, bool now = false)
    {
        var changed = next.Stage != state.Stage || next.Message != state.Message;
        state = next;
        if (!now && !changed && sinceState.Elapsed < StateEvery) return;
        sinceState.Restart();
        TeachingFolder.Write(folder.State, state);
    }

    private sealed class Counted(Action<int> told) : IProgress<int>
    {
        public void Report(int value) => told(value);
    }
}
