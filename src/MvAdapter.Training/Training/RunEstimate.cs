using System.Diagnostics;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Says before the first step how long the run will take and how much memory it holds, from two measured steps.</summary>
internal sealed class RunEstimate(long steps, int batchSize, int accumulation)
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(12);

    /// <summary>Whether nothing was measured yet. A short run is over before an estimate would help.</summary>
    public bool Pending { get; private set; } = steps >= 20;

    /// <summary>Runs the first batch twice without moving anything: once to warm up, once against the clock.</summary>
    /// <param name="reading">What reading the batch took. It goes on beside the model's work, so the slower of the two counts.</param>
    /// <param name="accumulate">Runs the batch.</param>
    /// <param name="step">Holds the gradients, which are dropped.</param>
    /// <param name="options">Where the model runs, and what may make it faster.</param>
    /// <param name="say">Told the estimate.</param>
    public void Measure(TimeSpan reading, Action accumulate, TrainingStep step, TrainerOptions options, Action<string> say)
    {
        Pending = false;
        accumulate();
        step.Discard();
        var clock = Stopwatch.StartNew();
        accumulate();
        step.Discard();
        TorchRuntime.Synchronize(options.Device);
        var each = (reading > clock.Elapsed ? reading : clock.Elapsed) * accumulation;
        var time = each * steps;
        var peak = TorchRuntime.Memory(options.Device).Peak;
        say(FormattableString.Invariant($"{steps} steps of {batchSize * accumulation} videos, {each.TotalSeconds:0.00} s each: about {Text(time)} without evaluations, {peak / 1e9:0.0} GB of memory"));
        if (time > Long)
            say($"that is long: {(options.Device.IsCpu ? "use a GPU (--device cuda), " : "")}{(options.Cache is null ? "prepare the frames once (\"prepare\"), " : "")}precision bf16, fewer epochs or steps, or a smaller backbone (ViT-B/32 is about 4 times faster than ViT-B/16). The run can be stopped and resumed at any time");
    }

    private static string Text(TimeSpan time) =>
        time.TotalDays >= 60 ? FormattableString.Invariant($"{time.TotalDays / 30:0} months")
        : time.TotalDays >= 2 ? FormattableString.Invariant($"{time.TotalDays:0.0} days")
        : time.TotalHours >= 2 ? FormattableString.Invariant($"{time.TotalHours:0.0} hours")
        : time.TotalMinutes >= 2 ? FormattableString.Invariant($"{time.TotalMinutes:0} minutes")
        : FormattableString.Invariant($"{time.TotalSeconds:0} seconds");
}
