using System.Diagnostics;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>A method that was trained and measured.</summary>
/// <param name="Report">The numbers; of workers that train together, the first's has the times too.</param>
/// <param name="Evaluation">What they follow from.</param>
/// <param name="Log">The run's log; empty for a method that trains nothing.</param>
/// <param name="TotalSteps">Steps that the config asks for; 0 for a method that trains nothing.</param>
/// <param name="Complete">Whether the last step or early stopping ended the training, and not a limit of time.</param>
public sealed record Outcome(
    RetrievalReport Report, RetrievalEvaluation Evaluation, IReadOnlyList<TrainingLogEntry> Log, long TotalSteps, bool Complete);

/// <summary>Trains a method in a folder, unless it is trained, and measures it on the test split.</summary>
public static class MeasuredRun
{
    private const int TimedVideos = 64;
    private const int TimedRepeats = 3;

    /// <summary>Does both; a method that trains nothing is only measured.</summary>
    /// <param name="config">The run.</param>
    /// <param name="options">Where and how; what was interrupted in its output goes on.</param>
    /// <param name="cancellation">Ends the work; a checkpoint is kept.</param>
    /// <exception cref="MvAdapterException">The config cannot be run, or a file cannot be read or written.</exception>
    public static Outcome Run(RunConfig config, TrainerOptions options, CancellationToken cancellation = default)
    {
        config.Validate();
        return Untrained(config, options, cancellation) ?? Trained(config, options, cancellation);
    }

    private static Outcome Trained(RunConfig config, TrainerOptions options, CancellationToken cancellation)
    {
        var run = new RunFolder(options.Output);
        Directory.CreateDirectory(run.Path);
        using var trainer = new Trainer(config, options, cancellation);
        var progress = trainer.Run(cancellation);
        var evaluation = trainer.Evaluate(Split.Test, cancellation);
        var complete = progress.Stopped || progress.Step >= trainer.TotalSteps;
        var measured = Reports.Of(trainer.Model, config.Seed, evaluation, progress.TrainSeconds, progress.PeakMemory);
        if (options.Workers is { IsFirst: false }) return new Outcome(measured, evaluation, [], trainer.TotalSteps, complete);
        IReadOnlyList<TrainingLogEntry> log = File.Exists(run.Log) ? JsonLines.Read<TrainingLogEntry>(run.Log) : [];
        var report = measured with
        {
            StorageBytes = new FileInfo(run.Adapter).Length,
            Steps = progress.Step,
            StepSeconds = Median([.. log.Select(entry => entry.Seconds).OfType<double>()]),
        };
        using var frames = FrameSource.Open(trainer.Encoder.Reader, options.Cache);
        var whole = WithEncodingTime(report, trainer.Encoder, config.Load(Split.Test), frames, cancellation);
        return new Outcome(whole, evaluation, log, trainer.TotalSteps, complete);
    }

    /// <summary>The outcome of a method that trains nothing; null for any other.</summary>
    private static Outcome? Untrained(RunConfig config, TrainerOptions options, CancellationToken cancellation)
    {
        TorchRuntime.ResetPeakMemory(options.Device);
        using var loaded = TrainingModel.Load(config, options.Device, cancellation);
        if (loaded.Model.TrainableParameters().Any()) return null;
        using var frames = FrameSource.Open(loaded.Encoder.Reader, options.Cache);
        var test = config.Load(Split.Test, options.Strict);
        var evaluation = Evaluator.Evaluate(loaded.Encoder, test, frames.Read, null, cancellation, options.Workers);
        var report = Reports.Of(loaded.Model, config.Seed, evaluation, 0, TorchRuntime.Memory(options.Device).Peak);
        if (options.Workers is { IsFirst: false }) return new Outcome(report, evaluation, [], 0, Complete: true);
        return new Outcome(WithEncodingTime(report, loaded.Encoder, test, frames, cancellation), evaluation, [], 0, Complete: true);
    }

    /// <summary>Adds the time to encode a video whose frames are in memory: the least of some passes, which others disturbed least.</summary>
    private static RetrievalReport WithEncodingTime(
        RetrievalReport report, VideoTextEncoder encoder, Dataset test, FrameSource frames, CancellationToken cancellation)
    {
        var videos = frames.Read(test.Samples.Select(sample => sample.Clip), cancellation).Where(video => video.Error is null).Take(TimedVideos).ToList();
        var least = double.MaxValue;
        for (var repeat = 0; repeat < TimedRepeats; repeat++)
        {
            cancellation.ThrowIfCancellationRequested();
            var clock = Stopwatch.StartNew();
            foreach (var _ in encoder.EncodeVideos(videos)) { }
            least = Math.Min(least, clock.Elapsed.TotalSeconds);
        }
        return report with { EncodingSeconds = least / videos.Count };
    }

    private static double? Median(double[] values)
    {
        if (values.Length == 0) return null;
        Array.Sort(values);
        return (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2;
    }
}
