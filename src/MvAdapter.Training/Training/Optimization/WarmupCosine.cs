namespace MvAdapter.Training;

/// <summary>The learning rate's factor over a run: up in a straight line, then down along a cosine.</summary>
public static class WarmupCosine
{
    /// <summary>
    /// The factor before step <paramref name="step"/> (from 0) of <paramref name="total"/>;
    /// <paramref name="warmup"/> is the part of the run that rises.
    /// </summary>
    public static double Factor(long step, long total, double warmup)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(total);
        var progress = (double)step / total;
        return progress < warmup ? progress / warmup : 0.5 * (1 + Math.Cos(Math.PI * progress));
    }
}
