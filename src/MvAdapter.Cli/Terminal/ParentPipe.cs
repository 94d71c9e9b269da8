namespace MvAdapter.Cli;

/// <summary>A process that another of this program has started ends when that one does, which it knows by the end of its standard input.</summary>
internal static class ParentPipe
{
    /// <summary>The variable that says that the standard input is such a pipe.</summary>
    public const string Variable = "MVADAPTER_ENDS_WITH_INPUT";

    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(700);

    /// <summary>Where another of this program has started this one: cancels at the end of the standard input, and ends the process where that is not heard.</summary>
    public static void EndWithParent(CancellationTokenSource orphaned)
    {
        if (Environment.GetEnvironmentVariable(Variable) == "1") new Thread(() => Listen(orphaned)) { IsBackground = true }.Start();
    }

    private static void Listen(CancellationTokenSource orphaned)
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
    }
}
