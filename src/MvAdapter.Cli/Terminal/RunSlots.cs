using System.Globalization;
using MvAdapter.Torch;

namespace MvAdapter.Cli;

/// <summary>How many runs may go on at once, and the threads of each.</summary>
internal sealed class RunSlots
{
    private const int Most = 256;
    private const double MemoryMargin = 1.25;
    private readonly int? threads;
    private readonly bool measured;
    private int jobs;

    private RunSlots(int jobs, bool measured, int? threads, Device device) =>
        (this.jobs, this.measured, this.threads, Device) = (jobs, measured, threads, device);

    /// <summary>Where the runs go on.</summary>
    public Device Device { get; }

    /// <summary>Runs at once.</summary>
    public int Jobs => jobs;

    /// <summary>Threads of one run; null to leave it to the run.</summary>
    public int? ThreadsOfRun => jobs == 1 ? threads : Math.Max(1, (threads ?? Environment.ProcessorCount) / jobs);

    /// <summary>Reads <c>--jobs</c>: a number, or auto. On a GPU, whose memory one run may fill, auto is one.</summary>
    public static RunSlots Parse(string text, int? threads, Device device)
    {
        if (threads is < 1) throw new UsageException($"--threads {threads}: give a number from 1 to 1024");
        if (text == "auto") return new RunSlots(1, device.IsCpu, threads, device);
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= Most
            ? new RunSlots(number, false, threads, device)
            : throw new UsageException($"--jobs takes a number from 1 to {Most}, or auto, not '{TextForMessage.Quote(text, 40)}'");
    }

    /// <summary>A run has shown its memory: with auto, as many at once as fit and as there are cores.</summary>
    public void Fit(long peakMemory)
    {
        if (!measured || peakMemory <= 0) return;
        var fitting = TorchRuntime.Memory(Device.Cpu).Total / (MemoryMargin * peakMemory);
        jobs = (int)Math.Clamp(fitting, 1, threads ?? Environment.ProcessorCount);
    }
}
