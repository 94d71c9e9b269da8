using System.Diagnostics;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>
/// A training run in a folder. Everything a step does follows from the config and the step's number, so a run that was
/// killed goes on from its last checkpoint to the very weights of an undisturbed one.
/// </summary>
public sealed class Trainer : IDisposable
{
    /// <summary>Decoded frames that a run keeps in memory: 13,000 frames of 224 pixels.</summary>
    private const long MemoryForFrames = 2_000_000_000;
    private const ulong DropoutStream = 0x44524F50; // "DROP"
    private const int MostEpochsWithoutBatch = 20;
    private readonly RunConfig config;
    private readonly TrainerOptions options;
    private readonly RunFolder folder;
    private readonly TrainingModel loaded;
    private readonly TrainingStep trainingStep;
    private readonly int videoCount;
    private readonly BatchSampler sampler;
    private readonly Dataset? validation;
    private readonly FrameSource frames;
    private readonly HashSet<string> skipped = new(StringComparer.Ordinal);
    private readonly Workers? workers;
    private readonly Lock state = new();   // held while a step moves the weights, so that a checkpoint of between steps can be written at any time
    private readonly WorkerPace? pace;
    private long savedStep = -1;
    private bool sound = true;   // the weights are those of the step reached, and numbers
    private long skippedBatches;
    private RunProgress progress = new();

    /// <summary>Loads the dataset and the model, and the folder's checkpoint when there is one.</summary>
    /// <exception cref="MvAdapterException">The config cannot be run, or the folder is of another config.</exception>
    public Trainer(RunConfig config, TrainerOptions options, CancellationToken cancellation = default)
    {
        config.Validate();
        (this.config, this.options, folder, workers) = (config, options, new RunFolder(options.Output), options.Workers);
        if (IsFirst) folder.RefuseOther(config);
        var training = config.Load(Split.Train, options.Strict);
        videoCount = training.Samples.Count;
        // Those who divide a batch know only their own rows.
        var wrong = workers is null && config.ChunkSize == 0 ? training.WrongAnswers : [];
        sampler = new BatchSampler(training.Pairs, config.BatchSize, config.DistinctBatches, config.Seed, wrong);
        if (workers is not null) WorkersBatch.Agree(workers, training, sampler.BatchSize);
        loaded = TrainingModel.Load(config, options.Device, cancellation);
        if (workers is not null) SharedWeights.Share(workers, loaded.Model, Say);
        frames = FrameSource.Open(loaded.Encoder.Reader, options.Cache, MemoryForFrames, Say);
        trainingStep = new TrainingStep(loaded.Model, config.Groups(), step => WarmupCosine.Factor(step, TotalSteps, config.Warmup), loaded.Precision, workers);
        pace = workers is null ? null : new WorkerPace(workers, Say);
        Say($"{training.Name}: {training.Samples.Count} videos, {training.Pairs.Count} pairs to train on{(training.MissingSummary is { } missing ? $"; {missing}" : "")}");
        if (training.WrongAnswers.Count > 0) Say($"wrong answers: {training.WrongAnswers.Count} {(wrong.Count > 0 ? "to learn from" : "are left out; only one worker with chunk_size 0 learns from them")}");
        validation = config.EvaluateEvery < 0 ? null : TryLoadValidation();
        var before = IsFirst ? folder.ReadCheckpoint(path => RunCheckpoint.Restore(path, loaded.Model, trainingStep.Optimizer), Say) : null;
        if (workers is not null) before = RunCheckpoint.Share(workers, loaded.Model, trainingStep.Optimizer, before);
        if (before is not null)
        {
            progress = before;
            skipped.UnionWith(progress.Skipped);
            skippedBatches = progress.SkippedBatches;
            savedStep = progress.Step;
            Say($"resuming {options.Output} at step {progress.Step} of {TotalSteps}");
        }
    }

    /// <summary>The model in training.</summary>
    public RetrievalModel Model => loaded.Model;

    /// <summary>Encodes with the model in training.</summary>
    public VideoTextEncoder Encoder => loaded.Encoder;

    /// <summary>How far the run has come.</summary>
    public RunProgress Progress => progress;

    /// <summary>Steps of the whole run.</summary>
    public long TotalSteps => config.Steps > 0 ? config.Steps : Math.Max(1, (long)config.Epochs * StepsPerEpoch);

    private bool IsFirst => workers?.IsFirst ?? true;

    private int StepsPerEpoch => Math.Max(1, sampler.BatchesPerEpoch / config.Accumulation);

    private bool Finished => progress.Stopped || progress.Step >= TotalSteps || progress.TrainSeconds >= options.TimeLimit.TotalSeconds;

    /// <summary>Whether the step reached is one to evaluate after, and has not been; a run may be stopped in between.</summary>
    private bool EvaluationDue => validation is not null && progress.Step > progress.Evaluated
        && (Finished || progress.Step % (config.EvaluateEvery > 0 ? config.EvaluateEvery : StepsPerEpoch) == 0);

    /// <summary>Trains to the end, or until cancelled: then a checkpoint is written and the run can be gone on with.</summary>
    /// <returns>Where the run stands.</returns>
    /// <exception cref="MvAdapterException">The loss is not finite, no video can be read, or a file cannot be written.</exception>
    public RunProgress Run(CancellationToken cancellation = default)
    {
        if (!Finished || EvaluationDue) Train(cancellation);
        if (IsFirst && (!File.Exists(folder.Adapter) || File.GetLastWriteTimeUtc(folder.Adapter) < File.GetLastWriteTimeUtc(folder.Checkpoint))) SaveAdapter(folder.Adapter);
        return progress;
    }

    /// <summary>Writes the model as it stands as an adapter checkpoint, which carries the config when the name ends in .safetensors.</summary>
    public void SaveAdapter(string path) =>
        AdapterCheckpoint.Save(path, Model, metadata: new Dictionary<string, string> { [AdapterCheckpoint.ConfigKey] = RunConfigFile.ToYaml(config) });

    private void Train(CancellationToken cancellation)
    {
        try
        {
            if (!IsFirst)
            {
                Loop(null, cancellation);
                return;
            }
            Directory.CreateDirectory(options.Output);
            using var held = folder.Hold();
            AtomicFile.DeleteLeftovers(options.Output);
            AtomicFile.WriteText(folder.Config, RunConfigFile.ToYaml(config));
            using var log = new TrainingLog(folder, progress.Step);
            // At once, however long the step at hand will take.
            using var told = cancellation.Register(TrySaveBetweenSteps);
            using var lost = (workers?.Lost ?? CancellationToken.None).Register(TrySaveBetweenSteps);
            try
            {
                Loop(log, cancellation);
            }
            catch (Exception e) when (e is OperationCanceledException or WorkerException)
            {
                SaveBetweenSteps();
                // The others were told to end as well, and some have.
                if (cancellation.IsCancellationRequested) throw new OperationCanceledException(e.Message, e, cancellation);
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(options.Output, $"the run cannot be written: {TextForMessage.Quote(e.Message)}; the last checkpoint is kept, and the same command goes on from it", e);
        }
    }

    /// <summary>Measures the model as it stands on a split.</summary>
    /// <exception cref="MvAdapterException">The split has no video that can be read.</exception>
    public RetrievalEvaluation Evaluate(Split split, CancellationToken cancellation = default) =>
        Evaluator.Evaluate(Encoder, config.Load(split, options.Strict), frames.Read, null, cancellation, workers);

    /// <summary>Frees the model.</summary>
    public void Dispose()
    {
        trainingStep.Dispose();
        frames.Dispose();
        loaded.Dispose();
    }

    private void Loop(TrainingLog? log, CancellationToken cancellation)
    {
        // Read ahead of the loop: the same batches twice, once as clips to read and once as pairs to train on.
        using var batches = Batches().GetEnumerator();
        using var videos = frames.Read(Batches().SelectMany(Own).SelectMany(Clips), cancellation).GetEnumerator();
        TorchRuntime.ResetPeakMemory(options.Device);
        var estimate = new RunEstimate(TotalSteps - progress.Step, sampler.BatchSize, config.Accumulation);
        var sinceCheckpoint = Stopwatch.StartNew();
        while (true)
        {
            var evaluated = EvaluationDue;
            if (evaluated) Validate(log, cancellation);
            if (evaluated || Finished) Checkpoint();
            if (Finished)
            {
                if (IsFirst) File.Delete(folder.PreviousCheckpoint);
                return;
            }
            cancellation.ThrowIfCancellationRequested();

            using var scope = new TensorScope();
            var clock = Stopwatch.StartNew();
            var (losses, ids) = Gather(batches, videos, estimate);
            if (sinceCheckpoint.Elapsed >= options.CheckpointInterval)
            {
                // Only when a loss has shown the weights to be sound: those of a run that diverges are not worth keeping.
                _ = Mean(losses, ids);
                Checkpoint();
            }
            Move(log, losses, ids, clock);
        }

        void Checkpoint()
        {
            log?.Flush();
            if (IsFirst) Save();
            sinceCheckpoint.Restart();
        }
    }

    /// <summary>Gathers the gradients of one step; returns the losses, unread, and the videos.</summary>
    private (List<Tensor> Losses, List<string> Ids) Gather(
        IEnumerator<IReadOnlyList<TrainingPair>> batches, IEnumerator<VideoFrames> videos, RunEstimate estimate)
    {
        var losses = new List<Tensor>();
        var ids = new List<string>();
        for (var i = 0; i < config.Accumulation; i++)
        {
            var clock = Stopwatch.StartNew();
            var batch = Next(batches, videos);
            ids.AddRange(batch.Own.Select(item => item.Pair.Sample.Id));
            var seed = SeededRandom.For((ulong)config.Seed, DropoutStream, progress.Step * config.Accumulation + i).NextUInt64();
            if (estimate.Pending) estimate.Measure(clock.Elapsed, () => Accumulate(batch, seed, last: false), trainingStep, options, Say);
            losses.Add(Accumulate(batch, seed, last: i == config.Accumulation - 1));
        }
        return (losses, ids);
    }

    private double Mean(List<Tensor> losses, List<string> ids)
    {
        var values = losses.Select(loss => loss.ToDouble()).ToList();
        return values.TrueForAll(double.IsFinite) ? values.Average() : throw Diverged($"the loss is {values.First(value => !double.IsFinite(value))}", ids);
    }

    // Nothing is read before all of the step has been asked for, so that a GPU goes through it without waiting.
    private void Move(TrainingLog? log, List<Tensor> losses, List<string> ids, Stopwatch clock)
    {
        var factor = WarmupCosine.Factor(progress.Step, TotalSteps, config.Warmup);
        trainingStep.Reduce();
        double loss, norm, seconds;
        MemoryUse memory;
        lock (state)
        {
            sound = false;
            var moved = trainingStep.Step();
            (loss, norm) = (Mean(losses, ids), moved.ToDouble());
            if (!double.IsFinite(norm)) throw Diverged($"the gradient's norm is {norm}", ids);
            seconds = clock.Elapsed.TotalSeconds;
            memory = TorchRuntime.Memory(options.Device);
            progress = progress with
            {
                Step = progress.Step + 1,
                SkippedBatches = skippedBatches,
                TrainSeconds = progress.TrainSeconds + seconds,
                PeakMemory = Math.Max(progress.PeakMemory, memory.Peak),
                Skipped = progress.Skipped.Count == skipped.Count ? progress.Skipped : [.. skipped],
            };
            sound = true;
        }
        if (pace is not null)
        {
            // One time for all, so that all end together at a limit.
            var slowest = pace.Step(seconds);
            lock (state) progress = progress with { TrainSeconds = progress.TrainSeconds - seconds + slowest };
            seconds = slowest;
        }
        log?.Write(new TrainingLogEntry { Step = progress.Step, Loss = loss, LrFactor = factor, GradientNorm = norm, Seconds = seconds, Memory = memory.Current });
        if (IsFirst) options.OnStep?.Invoke(new TrainingProgress(progress.Step, TotalSteps, loss, sampler.BatchSize * config.Accumulation / seconds));
    }

    private MvAdapterException Diverged(string what, List<string> ids)
    {
        sound = false;
        var whose = "";
        if (workers is not null)
        {
            // All see it at once; whose rows it comes from, each knows of itself.
            var batches = workers.Gather(trainingStep.OwnIsFinite() ? "" : string.Join('\n', ids));
            if (Array.FindIndex(batches, names => names.Length > 0) is >= 0 and var rank) (whose, ids) = ($"{workers.Name(rank)}: ", [.. batches[rank].Split('\n')]);
        }
        var line = FormattableString.Invariant(
            $"{whose}step {progress.Step + 1}: {what}. Try a smaller learning rate (adapter_lr {config.AdapterLr}, clip_lr {config.ClipLr}), a longer warmup, or precision fp32; the last checkpoint is kept. The batch was {string.Join(", ", ids.Select(id => TextForMessage.Quote(id, 80)))}");
        return whose.Length > 0 ? new WorkerException(line) : new MvAdapterException(line);
    }

    /// <summary>The pairs of every batch that is yet to come, epoch after epoch.</summary>
    private IEnumerable<IReadOnlyList<TrainingPair>> Batches()
    {
        var skip = progress.Step * config.Accumulation + progress.SkippedBatches;
        for (var epoch = 0; ; epoch++)
        {
            foreach (var batch in sampler.Epoch(epoch))
            {
                if (skip-- <= 0) yield return batch;
            }
        }
    }

    private static IEnumerable<VideoClip> Clips(TrainingPair pair) => pair.WrongAnswer is { } wrong ? [pair.Sample.Clip, wrong] : [pair.Sample.Clip];

    private IReadOnlyList<TrainingPair> Own(IReadOnlyList<TrainingPair> batch) => workers?.Part(batch) ?? batch;

    private ReadBatch Next(IEnumerator<IReadOnlyList<TrainingPair>> batches, IEnumerator<VideoFrames> videos)
    {
        VideoException? last = null;
        // Two videos that can be read meet sooner or later, but for captions that keep them apart.
        for (var tries = 0; tries < MostEpochsWithoutBatch * sampler.BatchesPerEpoch && videoCount - skipped.Count > 1; tries++)
        {
            batches.MoveNext();
            var batch = new List<(TrainingPair, VideoFrames, VideoFrames?)>();
            var unreadable = new List<UnreadableVideo>();
            foreach (var pair in Own(batches.Current))
            {
                videos.MoveNext();
                var frames = videos.Current;
                // A wrong answer that cannot be read is none.
                var wrong = pair.WrongAnswer is not null && videos.MoveNext() && videos.Current.Error is null ? videos.Current : null;
                if (frames.Error is not { } error) batch.Add((pair, frames, wrong));
                else if (!skipped.Contains(pair.Sample.Id)) unreadable.Add(new UnreadableVideo(pair.Sample.Id, (last = error).Message));
            }
            var read = ReadBatch.Of(batch, unreadable, workers);
            foreach (var video in read.Unreadable)
                if (skipped.Add(video.Id)) Say($"skipped {video.Reason}");
            if (read.Count > 1) return read;
            skippedBatches++;
        }
        throw new MvAdapterException(
            $"no batch of {config.Dataset} has two videos that can be read: {skipped.Count} of {videoCount} cannot; the last reason: {last?.Message}");
    }

    // The seed of dropout: of the batch's own, whatever was drawn before it, so that a run goes on as if it had not been broken off.
    private Tensor Accumulate(ReadBatch batch, ulong seed, bool last)
    {
        using var scope = new TensorScope();
        var share = 1.0 / config.Accumulation;
        // Other rows have other dropout.
        if (workers is not null) seed += (ulong)workers.Rank << 32;
        if (config.ChunkSize == 0 || config.ChunkSize >= batch.Own.Count)
        {
            Generator.ManualSeed(seed);
            return scope.Keep(trainingStep.Accumulate(Input(batch.Own), share, batch.Rows, last));
        }
        return scope.Keep(trainingStep.Accumulate([.. batch.Own.Chunk(config.ChunkSize).Select((part, i) => (Func<TrainingInput>)(() =>
        {
            Generator.ManualSeed(seed + (ulong)i);   // the same dropout in both passes over the part
            return Input(part);
        }))], share, batch.Rows, last));
    }

    private TrainingInput Input(IReadOnlyList<(TrainingPair Pair, VideoFrames Frames, VideoFrames? Wrong)> pairs)
    {
        // A worker none of whose videos can be read takes part with one that does not count.
        if (pairs.Count == 0) return new TrainingInput(FrameBatch.Padded(Tensor.Zeros([1, config.Frames, 3, Model.Clip.Config.ImageSize, Model.Clip.Config.ImageSize], device: options.Device), null), Encoder.TokenRows([""]));
        var videos = FrameBatch.From([.. pairs.Select(item => item.Frames), .. pairs.Select(item => item.Wrong).OfType<VideoFrames>()], config.Frames, Model.Clip.Config, options.Device);
        return new TrainingInput(videos, Encoder.TokenRows([.. pairs.Select(item => item.Pair.Caption)])) { WrongAnswers = [.. pairs.Index().Where(item => item.Item.Wrong is not null).Select(item => item.Index)] };
    }

    private void Validate(TrainingLog? log, CancellationToken cancellation)
    {
        var result = Evaluator.Evaluate(Encoder, validation!, frames.Read, null, cancellation, workers);
        TorchRuntime.EmptyCache();   // what inference holds of the weights would count against the steps that follow
        var (t2v, v2t) = (result.TextToVideo.R1, result.VideoToText.R1);
        log?.Write(new TrainingLogEntry { Step = progress.Step, TextToVideoR1 = t2v, VideoToTextR1 = v2t, OrderAccuracy = result.OrderAccuracy });
        var better = progress.Best is not { } best || t2v + v2t > best;
        progress = progress with
        {
            Evaluated = progress.Step,
            Best = better ? t2v + v2t : progress.Best,
            SinceBest = better ? 0 : progress.SinceBest + 1,
            Stopped = config.Patience > 0 && !better && progress.SinceBest + 1 >= config.Patience,
        };
        if (better && IsFirst) SaveAdapter(folder.Best);
        Say(FormattableString.Invariant($"step {progress.Step}: validation R@1 {t2v:0.0} % text to video, {v2t:0.0} % video to text{(result.OrderAccuracy is { } order ? $", order accuracy {order:0.0} %" : "")}{(better ? " (best)" : "")}"));
        if (progress.Stopped) Say($"no better evaluation in {config.Patience}: stopping early");
    }

    private void Save()
    {
        lock (state)
        {
            folder.ReplaceCheckpoint(path => RunCheckpoint.Save(path, config, Model, trainingStep.Optimizer, progress));
            savedStep = progress.Step;
        }
    }

    // Called by whatever thread is told to end the run, which has nobody to tell of a full disk; the run's own thread tries again and tells.
    private void TrySaveBetweenSteps()
    {
        try
        {
            SaveBetweenSteps();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or MvAdapterException)
        {
            Say($"no checkpoint of step {progress.Step}: {TextForMessage.Quote(e.Message)}");
        }
    }

    // Not when the weights have moved to what is no number.
    private void SaveBetweenSteps()
    {
        lock (state)
        {
            if (sound && progress.Step > 0 && savedStep != progress.Step) Save();
        }
    }

    private Dataset? TryLoadValidation()
    {
        try
        {
            return config.Load(Split.Val, options.Strict);
        }
        catch (InvalidFileException e)
        {
            Say($"no validation during training: {e.Message}");
            return null;
        }
    }

    private void Say(string message)
    {
        if (IsFirst) options.OnMessage?.Invoke(message);
    }
}
