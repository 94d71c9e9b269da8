using System.Globalization;

namespace MvAdapter.Torch;

/// <summary>Time of one operator.</summary>
/// <param name="Name">The operator, such as <c>aten::addmm</c>.</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="Seconds">Its own time, without that of operators it called.</param>
public readonly record struct OperatorTime(string Name, long Calls, double Seconds);

/// <summary>
/// Where time goes, operator by operator, those of the backward pass included: on the CPU by the clock, on a GPU by its own events, so that
/// nothing waits for it. Only one is taken at a time.
/// </summary>
public static class OperatorProfile
{
    /// <summary>Takes the profile of a work.</summary>
    /// <param name="device">The device that does the work.</param>
    /// <param name="work">What is looked at; called once.</param>
    /// <returns>The operators, the slowest first.</returns>
    /// <exception cref="TorchException">A profile is being taken already.</exception>
    public static IReadOnlyList<OperatorTime> Take(Device device, Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        NativeMethods.Check(NativeMethods.mvt_profile_begin(device.Packed), "profile");
        nint lines = 0;
        try
        {
            work();
            TorchRuntime.Synchronize(device);
        }
        finally
        {
            NativeMethods.Check(NativeMethods.mvt_profile_end(out lines), "profile");
        }
        return [.. NativeMethods.Text(lines).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Read).OrderByDescending(time => time.Seconds)];
    }

    private static OperatorTime Read(string line)
    {
        var parts = line.Split('\t');
        return new(parts[0], long.Parse(parts[1], CultureInfo.InvariantCulture), double.Parse(parts[2], CultureInfo.InvariantCulture));
    }
}
