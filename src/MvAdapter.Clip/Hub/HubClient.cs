using System.Globalization;
using System.Net.Http.Headers;

namespace MvAdapter.Clip;

/// <summary>What a hub says about a file: on the way, in the redirect to its storage, and at the end.</summary>
internal sealed record RemoteFile(HttpResponseMessage Response, long? LinkedSize, string? Sha256, string? Commit) : IDisposable
{
    /// <summary>Identifies the content, so that two halves are known to be of one file.</summary>
    public string? ETag => Sha256 ?? Response.Headers.ETag?.Tag;

    public void Dispose() => Response.Dispose();
}

/// <summary>
/// Asks for files, following redirects itself: the hub's size and hash stand in the redirect, and the token must
/// not follow it to another host.
/// </summary>
internal sealed class HubClient(HubSettings settings) : IDisposable
{
    private const int MaxRedirects = 10;
    private const int Sha256Digits = 64;
    private const int CommitDigits = 40;

    private readonly HttpClient http = new(new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = settings.SilenceLimit })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    /// <summary>
    /// Requests a file from a position on. The answer is the file (200), the rest of it (206), no such rest (416) or no
    /// such file (404).
    /// </summary>
    public async Task<RemoteFile> GetAsync(Uri address, long position, CancellationToken cancellation)
    {
        long? linkedSize = null;
        string? sha256 = null, commit = null;
        for (var redirects = 0; redirects <= MaxRedirects; redirects++)
        {
            var response = await SendAsync(address, position, cancellation).ConfigureAwait(false);
            linkedSize ??= long.TryParse(Header(response, "X-Linked-Size"), CultureInfo.InvariantCulture, out var size) && size >= 0 ? size : null;
            sha256 ??= Hexadecimal(Header(response, "X-Linked-Etag"), Sha256Digits) ?? Hexadecimal(Header(response, "ETag"), Sha256Digits);
            commit ??= Hexadecimal(Header(response, "X-Repo-Commit"), CommitDigits);
            if ((int)response.StatusCode is < 300 or >= 400 || response.Headers.Location is not { } location)
            {
                CheckStatus(address, (int)response.StatusCode);
                return new RemoteFile(response, linkedSize, sha256, commit);
            }
            response.Dispose();
            var next = new Uri(address, location);
            if (next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme != "https"))
                throw new MvAdapterException($"{address} redirects to {TextForMessage.Quote(next.ToString(), 120)}, which is less safe; nothing was fetched");
            address = next;
        }
        throw new MvAdapterException($"{address} redirects without end");
    }

    public void Dispose() => http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(Uri address, long position, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("mv-adapter", "0.1"));
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        if (position > 0) request.Headers.Range = new RangeHeaderValue(position, null);
        if (settings.Token is { } token && IsEndpoint(address)) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var silence = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        silence.CancelAfter(settings.SilenceLimit);
        try
        {
            return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, silence.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new DownloadInterruptedException("the server does not answer");
        }
        catch (HttpRequestException exception)
        {
            throw new DownloadInterruptedException(exception.Message);
        }
    }

    private static void CheckStatus(Uri address, int status)
    {
        if (status is 200 or 206 or 404 or 416) return;
        if (status is 401 or 403)
            throw new MvAdapterException($"{address} was refused ({status}): the repository does not exist, or is private or gated; set HF_TOKEN to a token that may read it");
        if (status is 408 or 429 or >= 500) throw new DownloadInterruptedException($"the server answers {status}");
        throw new MvAdapterException($"{address} was refused: the server answers {status}");
    }

    private bool IsEndpoint(Uri address) =>
        address.Scheme == settings.Endpoint.Scheme && address.Authority == settings.Endpoint.Authority;

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? values.First() : null;

    private static string? Hexadecimal(string? value, int digits)
    {
        var text = value?.Trim().Trim('"');
        return text?.Length == digits && text.All(char.IsAsciiHexDigit) ? text.ToLowerInvariant() : null;
    }
}
