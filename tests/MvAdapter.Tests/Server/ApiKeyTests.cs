using System.Net;
using System.Text.Json;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

public sealed class ApiKeyTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    [Fact]
    public async Task Only_a_key_opens_the_api_and_a_ticket_one_clip()
    {
        using var folder = new TemporaryFolder();
        var key = ApiKeys.Add(folder.File("keys"), "alice");
        Assert.DoesNotContain(key, await File.ReadAllTextAsync(folder.File("keys")), StringComparison.Ordinal);
        using var running = index.Serve(new ServerOptions { ApiKeys = folder.File("keys") });
        const string search = "/api/search?q=x&collection=1&k=2";
        foreach (var header in new string?[] { null, "Bearer", "Bearer ", "Bearer x", "Basic " + key, key, "Bearer " + key[..^1], "Bearer " + key + "0" })
            foreach (var address in new[] { search, "/API/search?q=x", "/api/collections", "/metrics", "/api/collections/1/clips/1/video", "/api/collections/1/clips/1/thumbnail?ticket=1.x" })
                Assert.Equal(HttpStatusCode.Unauthorized, (await Ask(address, header)).Status);
        foreach (var open in new[] { "/", "/app.js", "/healthz", "/openapi/v1.json" }) Assert.Equal(HttpStatusCode.OK, (await Ask(open, null)).Status);

        var (status, body) = await Ask(search, "Bearer " + key);
        Assert.Equal(HttpStatusCode.OK, status);
        using var answer = JsonDocument.Parse(body);
        var clips = answer.RootElement.GetProperty("results");
        string first = clips[0].GetProperty("thumbnail").GetString()!, second = clips[1].GetProperty("thumbnail").GetString()!;
        Assert.Equal(HttpStatusCode.OK, (await Ask(first, null)).Status);
        var ticket = first[first.IndexOf('?', StringComparison.Ordinal)..];
        Assert.Equal(HttpStatusCode.Unauthorized, (await Ask(second[..second.IndexOf('?', StringComparison.Ordinal)] + ticket, null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Ask(first.Replace("ticket=1", "ticket=2", StringComparison.Ordinal), null)).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await Ask("/api/collections" + ticket, null)).Status);

        async Task<(HttpStatusCode Status, string Body)> Ask(string address, string? header)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            if (header is not null) request.Headers.TryAddWithoutValidation("Authorization", header);
            using var response = await running.Client.SendAsync(request);
            return (response.StatusCode, await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public void A_key_that_is_added_or_taken_back_counts_while_the_server_runs()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("keys");
        var first = ApiKeys.Add(path, "first");
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        var keys = new ApiKeys(path);
        Thread.Sleep(20);   // a file's time is coarse
        var second = ApiKeys.Add(path, "second");
        Assert.True(SpinWait.SpinUntil(() => keys.Accepts(second), TimeSpan.FromSeconds(5)));
        Assert.True(keys.Accepts(first));
        Thread.Sleep(20);
        File.WriteAllLines(path, File.ReadAllLines(path)[1..]);
        Assert.True(SpinWait.SpinUntil(() => !keys.Accepts(first), TimeSpan.FromSeconds(5)));
        Assert.True(keys.Accepts(second));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nobody\n")]
    [InlineData("alice abc\n")]
    [InlineData("root:x:0:0:root:/root:/bin/bash\n")]
    public void A_file_of_something_else_is_refused(string text)
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidFileException>(() => new ApiKeys(folder.Write("keys", text)));
    }
}
