using System.Diagnostics;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Says before the first step how long the run will take and how much memory it holds, from two measured steps.</summary>
internal sealed class RunEstimate(long done, long total, int videosPerStep)
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(12);

    /// <summary>Whether nothing was measured yet. A short run is over before an estimate would help.</summary>
    public bool Pending { get; private set; } = total - done >= 20;

    /// <summary>Runs the first batch twice without moving anything: once to warm up, once against the clock.</summary>
    public void Measure(Action accumulate, Action discard, TrainerOptions options, Action<string> say)
    {
        Pending = false;
        accumulate();
        discard();
        var clock = Stopwatch.StartNew();
        accumulate();
        discard();
        TorchRuntime.Synchronize(options.Device);
        var time = clock.Elapsed * (total - done);
        var peak = TorchRuntime.Memory(options.Device).Peak;
        say(FormattableString.Invariant($"{total - done} steps of {videosPerStep} videos, {clock.Elapsed.TotalSeconds:0.00} s each: about {Text(time)} without evaluations, {peak / 1e9:0.0} GB of memory"));
        if (time > Long)
            say($"that is long: {(options.Device.IsCpu ? "use a GPU (--device cuda), " : "")}{(options.Cache is null ? "prepare the frames once (./run prepare), " : "")}precision bf16, fewer epochs or steps, or a smaller backbone (ViT-B/32 is about 4 times faster than ViT-B/16). The run can be stopped and resumed at any time");
    }

    private static string Text(TimeSpan time) =>
        time.TotalDays >= 60 ? FormattableString.Invariant($"{time.TotalDays / 30:0} months")
        : time.TotalDays >= 2 ? FormattableString.Invariant($"{time.TotalDays:0.0} days")
        : time.TotalHours >= 2 ? FormattableString.Invariant($"{time.TotalHours:0.0} hours")
        : time.TotalMinutes >= 2 ? FormattableString.Invariant($"{time.TotalMinutes:0} minutes")
        : FormattableString.Invariant($"{time.TotalSeconds:0} seconds");
}
