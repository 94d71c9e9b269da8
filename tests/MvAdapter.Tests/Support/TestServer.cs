using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MvAdapter.Tests.Support;

/// <summary>What a client asked for.</summary>
public sealed record TestRequest(string Path, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>Where a Range header starts; 0 without one.</summary>
    public long Start => Headers.TryGetValue("Range", out var range)
        ? long.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture)
        : 0;
}

/// <summary>What the server answers; it drops the connection after <see cref="DropAfter"/> bytes of the body.</summary>
public sealed record TestResponse(int Status, byte[] Body, params (string Name, string Value)[] Headers)
{
    public int DropAfter { get; init; } = int.MaxValue;

    /// <summary>The Content-Length it claims; negative: none.</summary>
    public long? ClaimedLength { get; init; }
}

/// <summary>An HTTP server on this machine that can misbehave in every way a download must survive.</summary>
public sealed class TestServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Func<TestRequest, TestResponse> answer;
    private readonly CancellationTokenSource stop = new();

    public TestServer(Func<TestRequest, TestResponse> answer)
    {
        this.answer = answer;
        listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
        _ = AcceptAsync();
    }

    public Uri Address { get; }

    /// <summary>All requests so far, in their order.</summary>
    public ConcurrentQueue<TestRequest> Requests { get; } = new();

    /// <summary>The whole file, or the part that the request asks for.</summary>
    public static TestResponse File(TestRequest request, byte[] content, params (string Name, string Value)[] headers)
    {
        if (request.Start == 0) return new TestResponse(200, content, headers);
        if (request.Start >= content.Length) return new TestResponse(416, [], [.. headers, ("Content-Range", $"bytes */{content.Length}")]);
        return new TestResponse(206, content[(int)request.Start..],
            [.. headers, ("Content-Range", $"bytes {request.Start}-{content.Length - 1}/{content.Length}")]);
    }

    public void Dispose()
    {
        stop.Cancel();
        listener.Dispose();
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using (client)
            {
                var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.Latin1);
                if (await reader.ReadLineAsync() is not { } requestLine) return;
                var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
                while (await reader.ReadLineAsync() is { Length: > 0 } line)
                    headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
                var request = new TestRequest(requestLine.Split(' ')[1], headers);
                Requests.Enqueue(request);
                await AnswerAsync(stream, answer(request));
            }
        }
        catch (IOException)
        {
            // The client went away, which is its right.
        }
    }

    private static async Task AnswerAsync(NetworkStream stream, TestResponse response)
    {
        var head = new StringBuilder($"HTTP/1.1 {response.Status} Answer\r\nConnection: close\r\n");
        var length = response.ClaimedLength ?? response.Body.Length;
        if (length >= 0) head.Append(CultureInfo.InvariantCulture, $"Content-Length: {length}\r\n");
        foreach (var (name, value) in response.Headers) head.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head.Append("\r\n").ToString()));
        await stream.WriteAsync(response.Body.AsMemory(0, Math.Min(response.Body.Length, response.DropAfter)));
    }
}
