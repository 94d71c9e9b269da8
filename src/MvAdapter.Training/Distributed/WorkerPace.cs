namespace MvAdapter.Training;

/// <summary>Who keeps the others waiting: each worker's own time of a step, without its waiting for others.</summary>
internal sealed class WorkerPace(Workers workers, Action<string> say)
{
    private const int Window = 20;
    private const double Slow = 1.5;
    private static readonly TimeSpan Between = TimeSpan.FromMinutes(10);
    private readonly double[] sums = new double[workers.Count];
    private TimeSpan waited = workers.Waited;
    private int steps;
    private DateTime silentUntil = DateTime.MinValue;

    /// <summary>Tells the others the step's time; returns the longest of all.</summary>
    public double Step(double seconds)
    {
        var own = seconds - (workers.Waited - waited).TotalSeconds;
        var told = workers.Gather(seconds, own);
        waited = workers.Waited;
        for (var rank = 0; rank < sums.Length; rank++) sums[rank] += told[rank][1];
        if (++steps == Window) Judge();
        return told.Max(numbers => numbers[0]);
    }

    private void Judge()
    {
        var ordered = sums.Order().ToArray();
        var (usual, slowest) = (ordered[(ordered.Length - 1) / 2] / Window, ordered[^1] / Window);
        if (slowest > Slow * usual && DateTime.UtcNow > silentUntil)
        {
            say(FormattableString.Invariant($"{workers.Name(Array.IndexOf(sums, ordered[^1]))} is slow: {slowest:0.00} s of its own a step, the others {usual:0.00} s, and all wait for it"));
            silentUntil = DateTime.UtcNow + Between;
        }
        Array.Clear(sums);
        steps = 0;
    }
}
