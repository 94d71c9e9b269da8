namespace MvAdapter.Cli;

/// <summary>A process that another of this program has started ends when that one does, which it knows by the end of its standard input.</summary>
internal static class ParentPipe
{
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(700);

    /// <summary>Cancels at the end of the standard input, and ends the process where that is not heard.</summary>
    public static void EndWithParent(CancellationTokenSource orphaned) => new Thread(() =>
    {
        while (Console.Read() >= 0) { }
        try
        {
            orphaned.Cancel();
        }
        catch (ObjectDisposedException)
        {
            return;
        }
        Thread.Sleep(Grace);
        ProcessExit.AtOnce(ExitCode.Interrupted);
    }) { IsBackground = true }.Start();
}
