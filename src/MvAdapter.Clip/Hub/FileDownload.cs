using System.Net;
using System.Security.Cryptography;

namespace MvAdapter.Clip;

/// <summary>
/// Fetches one file. It grows under the name <c>*.incomplete</c>, which is also the lock between processes, and gets
/// its own name only once its size and hash are right.
/// </summary>
internal sealed class FileDownload(HubClient client, HubSettings settings, Uri address, string path, string? expectedSha256, IProgress<DownloadProgress>? progress)
{
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(100);

    // What opening a file that another process has locked fails with: EAGAIN of Linux and of macOS, and Windows' code.
    private static readonly int[] LockedCodes = [11, 35, unchecked((int)0x80070020)];

    private readonly string incomplete = path + ".incomplete";
    private readonly string name = Path.GetFileName(path);
    private string? etag;

    /// <summary>Fetches the file unless it is there. False: the server has no such file.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellation)
    {
        if (File.Exists(path)) return true;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            var file = await LockAsync(cancellation).ConfigureAwait(false);
            await using (file.ConfigureAwait(false))
            {
                return await FetchAsync(file, cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be written: {TextForMessage.Quote(exception.Message)}", exception);
        }
    }

    private async Task<FileStream> LockAsync(CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return new FileStream(incomplete, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1 << 16, useAsync: true);
            }
            catch (IOException exception) when (LockedCodes.Contains(exception.HResult))
            {
                await Task.Delay(LockPoll, cancellation).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> FetchAsync(FileStream file, CancellationToken cancellation)
    {
        // Another process may have brought the file while this one waited; then the lock may even be on the file itself.
        var found = File.Exists(path)
            || await DownloadRetry.RunAsync(settings, address, () => AttemptAsync(file, cancellation), () => file.Length, cancellation).ConfigureAwait(false);
        if (!found || File.Exists(path))
        {
            File.Delete(incomplete);
            return found;
        }
        file.Flush(flushToDisk: true);
        File.Move(incomplete, path);
        return true;
    }

    private async Task<bool> AttemptAsync(FileStream file, CancellationToken cancellation)
    {
        var start = file.Length;
        using var remote = await client.GetAsync(address, start, cancellation).ConfigureAwait(false);
        var status = remote.Response.StatusCode;
        if (status == HttpStatusCode.NotFound) return false;

        var sha256 = expectedSha256 ?? remote.Sha256;
        if (status == HttpStatusCode.OK) file.SetLength(start = 0);
        else if (!BelongsTogether(remote, start, sha256))
        {
            file.SetLength(0);
            throw new DownloadInterruptedException("the part fetched before does not belong to this file");
        }
        etag = remote.ETag;
        if (status != HttpStatusCode.RequestedRangeNotSatisfiable) await CopyAsync(remote, file, sha256, cancellation).ConfigureAwait(false);
        if (sha256 is not null) await CheckHashAsync(file, sha256, resumed: start > 0, cancellation).ConfigureAwait(false);
        return true;
    }

    // A part on disk is only continued when the hash will tell, or the server says that it is still the same file.
    private bool BelongsTogether(RemoteFile remote, long length, string? sha256)
    {
        var range = remote.Response.Content.Headers.ContentRange;
        if (sha256 is null && (etag is null || etag != remote.ETag)) return false;
        return remote.Response.StatusCode == HttpStatusCode.PartialContent ? range?.From == length : range?.Length == length;
    }

    private async Task CopyAsync(RemoteFile remote, FileStream file, string? sha256, CancellationToken cancellation)
    {
        var headers = remote.Response.Content.Headers;
        var sent = headers.ContentRange?.Length ?? file.Length + headers.ContentLength;
        if (sent is not null && remote.LinkedSize is { } announced && sent != announced)
            throw new DownloadInterruptedException($"the hub announces {announced} bytes, but its storage sends {sent}");
        var total = sent ?? remote.LinkedSize;
        if (total is null && sha256 is null && remote.Response.Headers.TransferEncodingChunked != true)
            throw new DownloadInterruptedException("the server does not say how large the file is");

        file.Position = file.Length;
        var content = await remote.Response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using var closing = content.ConfigureAwait(false);
        var buffer = new byte[1 << 17];
        while (await ReadAsync(content, buffer, cancellation).ConfigureAwait(false) is var count and > 0)
        {
            if (file.Position + count > total)
            {
                file.SetLength(0);
                throw new DownloadInterruptedException($"the server sends more than the {total} bytes it announced");
            }

            await file.WriteAsync(buffer.AsMemory(0, count), cancellation).ConfigureAwait(false);
            await file.FlushAsync(cancellation).ConfigureAwait(false);
            progress?.Report(new DownloadProgress(name, file.Position, total));
        }
        if (total is not null && file.Length != total) throw new DownloadInterruptedException($"it ended after {file.Length} of {total} bytes");
    }

    private async Task<int> ReadAsync(Stream content, byte[] buffer, CancellationToken cancellation)
    {
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        silence.CancelAfter(settings.SilenceLimit);
        try
        {
            return await content.ReadAsync(buffer, silence.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new DownloadInterruptedException("the server fell silent");
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException)
        {
            throw new DownloadInterruptedException($"the connection dropped ({exception.Message})");
        }
    }

    private async Task CheckHashAsync(FileStream file, string expected, bool resumed, CancellationToken cancellation)
    {
        file.Position = 0;
        var actual = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancellation).ConfigureAwait(false));
        if (string.Equals(actual, expected, StringComparison.OrdinalIgnoreCase)) return;
        file.SetLength(0);
        // Only what was put together from parts may come out right at another attempt.
        if (resumed) throw new DownloadInterruptedException("the parts fetched do not make the announced file");
        throw new MvAdapterException($"{address} has SHA-256 {actual}, not {expected} as announced; it was not kept");
    }
}
