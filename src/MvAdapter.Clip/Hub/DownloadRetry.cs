namespace MvAdapter.Clip;

/// <summary>An attempt that failed in a way that another attempt may mend.</summary>
internal sealed class DownloadInterruptedException(string reason) : Exception(reason);

/// <summary>Tries again, with growing pauses, for as long as attempts bring the file further.</summary>
internal static class DownloadRetry
{
    /// <summary>Runs attempts until one succeeds or too many in a row have gained nothing.</summary>
    public static async Task<T> RunAsync<T>(HubSettings settings, Uri address, Func<Task<T>> attempt, Func<long> bytesDone, CancellationToken cancellation)
    {
        var furthest = bytesDone();
        for (var failures = 0; ;)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (DownloadInterruptedException exception)
            {
                failures = bytesDone() > furthest ? 1 : failures + 1;
                furthest = Math.Max(furthest, bytesDone());
                if (failures >= settings.MaxAttempts)
                    throw new MvAdapterException($"{address} could not be fetched: {TextForMessage.Quote(exception.Message)}; run the command again to go on where it stopped", exception);
            }
            await Task.Delay(settings.FirstPause * (1 << (failures - 1)), cancellation).ConfigureAwait(false);
        }
    }
}
