using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>Whatever is asked, the answer is a clear status and one sentence, and the next one is served.</summary>
public sealed class HostileClientTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    [Theory]
    [InlineData("/api/search?collection=1", 400, "q is empty")]
    [InlineData("/api/search?q=%20%0a&collection=1", 400, "q is empty")]
    [InlineData("/api/search?q=x", 400, "several collections")]
    [InlineData("/api/search?q=x&collection=99", 404, "no collection 99")]
    [InlineData("/api/search?q=x&collection=1%20OR%201=1", 400, "'1 OR 1=1' is no number")]
    [InlineData("/api/search?q=x&collection=1&k=0", 400, "k must be from 1 to 100")]
    [InlineData("/api/search?q=x&collection=1&k=99999999999", 400, "'99999999999' is no number")]
    [InlineData("/api/search?q=x&collection=1&folder=../../etc", 400, "absolute")]
    [InlineData("/api/search?q=x&collection=1&folder=/tmp%00x", 400, "absolute")]
    [InlineData("/api/search?q=x&collection=1&after=<b>yesterday", 400, "is no date")]
    [InlineData("/api/collections/1/clips/999/video", 404, "no clip 999")]
    [InlineData("/api/collections/1/clips/-1/thumbnail", 404, "no clip -1")]
    [InlineData("/api/collections/9/clips/1/video", 404, "no collection 9")]
    [InlineData("/api/collections/1/clips/1%2f..%2f..%2fetc%2fpasswd/video", 404, "nothing at this address")]
    [InlineData("/api/collections/1/clips//etc/passwd", 404, "nothing at this address")]
    [InlineData("/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 404, "nothing at this address")]
    [InlineData("/..%5c..%5cetc/passwd", 404, "nothing at this address")]
    [InlineData("/page/index.html", 404, "nothing at this address")]
    public async Task Wrong_questions_get_one_sentence(string target, int status, string sentence)
    {
        using var running = index.Serve();
        // By hand: an HTTP client of .NET's would tidy the address up.
        var answer = await Raw(running, $"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        AssertProblem(answer, status, sentence);
    }

    [Fact]
    public async Task Sql_and_html_are_words_like_others()
    {
        using var running = index.Serve();
        foreach (var text in new[] { "'; DROP TABLE clips; --", "\" OR 1=1 --", "<script>alert(1)</script>", "\0\u0001\u001b[31m", "%00", "🦊‮", new string('a', 1000) })
        {
            var word = Uri.EscapeDataString(text);
            using var found = await running.Client.GetAsync(new Uri($"/api/search?q={word}&collection=1", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, found.StatusCode);
            Assert.DoesNotContain("<script", await found.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            using var tagged = await running.Client.GetAsync(new Uri($"/api/search?q=x&collection=1&tag={word}", UriKind.Relative));
            Assert.Contains("\"results\":[]", await tagged.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        using var store = ClipStore.Open(index.Path);
        Assert.Empty(store.Verify());
    }

    [Fact]
    public async Task A_file_that_is_another_one_now_stays_where_it_is()
    {
        using var mine = new VideoIndex();
        using var running = mine.Serve();
        using var store = ClipStore.Open(mine.Path);
        var collection = store.Collections()[0];
        long Clip(string video) => store.Clips(collection, store.FindVideo(collection, mine.Video(video))!)[0].Id;
        var (link, other, gone) = (Clip("testsrc"), Clip("smptebars"), Clip("mandelbrot"));

        var secret = mine.File("secret.txt");
        await File.WriteAllBytesAsync(secret, new byte[new FileInfo(mine.Video("testsrc")).Length]);   // of the same length
        File.Delete(mine.Video("testsrc"));
        File.CreateSymbolicLink(mine.Video("testsrc"), secret);
        File.Copy(mine.Video("mandelbrot"), mine.Video("smptebars"), overwrite: true);
        File.Delete(mine.Video("mandelbrot"));
        foreach (var what in new[] { "video", "thumbnail" })
        {
            await Refused($"/api/collections/1/clips/{link}/{what}", HttpStatusCode.Conflict, "not the file that was indexed");
            await Refused($"/api/collections/1/clips/{other}/{what}", HttpStatusCode.Conflict, "not the file that was indexed");
            await Refused($"/api/collections/1/clips/{gone}/{what}", HttpStatusCode.NotFound, "is not there any more");
        }

        async Task Refused(string address, HttpStatusCode status, string sentence)
        {
            using var answer = await running.Client.GetAsync(new Uri(address, UriKind.Relative));
            Assert.Equal(status, answer.StatusCode);
            Assert.Contains(sentence, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Bad_videos_are_refused_and_leave_nothing()
    {
        using var running = index.Serve(new ServerOptions { MaxUploadBytes = 100_000 });
        await Refused([], 400, "has no body");
        await Refused(Encoding.UTF8.GetBytes(new string('x', 5000)), 422, "not a video");
        await Refused((await File.ReadAllBytesAsync(index.Video("testsrc")))[..900], 422, "the video that was sent");
        await Refused(Bomb(), 422, "no picture size");
        await Refused("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n"u8.ToArray(), 422, "is a playlist");
        await Refused(new byte[100_001], 413, "at most");
        // Of unknown length, so that only counting tells.
        var chunk = "1000\r\n" + new string('x', 4096) + "\r\n";
        AssertProblem(await Raw(running, "POST /api/search?collection=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n" + string.Concat(Enumerable.Repeat(chunk, 30))), 413, "at most");
        AssertProblem(await Raw(running, "POST /api/search?collection=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx"), 415, "send the video's bytes");
        AssertProblem(await Raw(running, "POST /api/collections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 70000\r\n\r\n"), 405, "another method");
        // What the last one sent may go after its answer.
        Assert.True(SpinWait.SpinUntil(() => running.Received().Length == 0, TimeSpan.FromSeconds(20)), string.Join(' ', running.Received()));

        async Task Refused(byte[] body, int status, string sentence)
        {
            using var content = new ByteArrayContent(body) { Headers = { ContentType = new("application/octet-stream") } };
            using var answer = await running.Client.PostAsync(new Uri("/api/search?collection=1", UriKind.Relative), content);
            var text = await answer.Content.ReadAsStringAsync();
            Assert.Equal(status, (int)answer.StatusCode);
            Assert.Contains(sentence, text, StringComparison.Ordinal);
            Assert.DoesNotContain("mvadapter-serve", text, StringComparison.Ordinal);   // where it lay
        }
    }

    [Fact]
    public async Task Halves_of_videos_keep_nobody_from_sending_a_whole_one()
    {
        using var running = index.Serve();
        var halves = new List<TcpClient>();
        try
        {
            for (var i = 0; i < 2 * new ServerOptions().MaxUploads; i++)
            {
                halves.Add(new TcpClient("127.0.0.1", new Uri(running.Url).Port));
                await halves[^1].GetStream().WriteAsync("POST /api/search?collection=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 90000\r\n\r\nabc"u8.ToArray());
            }
            Assert.True(SpinWait.SpinUntil(() => running.Received().Length == halves.Count, TimeSpan.FromSeconds(20)), "they are not being received");
            using var body = new ByteArrayContent(await File.ReadAllBytesAsync(index.Video("mandelbrot"))) { Headers = { ContentType = new("video/mp4") } };
            using var answer = await running.Client.PostAsync(new Uri("/api/search?collection=1&k=1", UriKind.Relative), body);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        finally
        {
            halves.ForEach(half => half.Dispose());
        }
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_client_that_sends_too_slowly_is_let_go()
    {
        using var running = index.Serve();
        using var client = new TcpClient("127.0.0.1", new Uri(running.Url).Port);
        var stream = client.GetStream();
        await stream.WriteAsync("POST /api/search?collection=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: video/mp4\r\nContent-Length: 100000\r\n\r\nabc"u8.ToArray());
        using var reader = new StreamReader(stream);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        Assert.Contains(" 408 ", await reader.ReadLineAsync(limit.Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_sites_name_for_this_machine_is_not_answered()
    {
        using var running = index.Serve();
        AssertProblem(await Raw(running, "GET /api/collections HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), 400, "another host");
    }

    [Fact]
    public async Task The_page_runs_its_own_files_alone()
    {
        using var running = index.Serve();
        using var page = await running.Client.GetAsync(new Uri("/", UriKind.Relative));
        var policy = Assert.Single(page.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'self';", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        var html = await page.Content.ReadAsStringAsync();
        Assert.DoesNotContain("http:", html, StringComparison.Ordinal);
        Assert.DoesNotContain("https:", html, StringComparison.Ordinal);
    }

    // Some bytes that claim pictures of 65535 x 65535.
    private static byte[] Bomb() => [.. "GIF89a"u8, 0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0, 0, 0, 0, 0, 255, 255, 255, 0x2C, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 2, 2, 0x4C, 1, 0, 0x3B];

    private static async Task<string> Raw(RunningServer running, string request)
    {
        using var client = new TcpClient("127.0.0.1", new Uri(running.Url).Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await reader.ReadToEndAsync(limit.Token);
    }

    private static void AssertProblem(string answer, int status, string sentence)
    {
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains("Content-Type: application/problem+json", answer, StringComparison.Ordinal);
        using var problem = JsonDocument.Parse(answer[answer.IndexOf('{', StringComparison.Ordinal)..(answer.LastIndexOf('}') + 1)]);
        var detail = problem.RootElement.GetProperty("detail").GetString()!;
        Assert.Contains(sentence, detail, StringComparison.Ordinal);
        Assert.DoesNotContain(detail, c => char.IsControl(c));
        Assert.DoesNotContain("unexpected", detail, StringComparison.Ordinal);
    }
}
