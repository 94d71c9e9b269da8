using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

public sealed class ApiTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    private sealed record Found(long Clip, float Score, string File, string Path, double Start, double End, string Video, string Thumbnail);

    private sealed record Answer(long Collection, Found[] Results, bool Approximate);

    [Fact]
    public async Task Words_find_what_the_library_finds_in_each_collection()
    {
        using var running = index.Serve();
        using var store = ClipStore.Open(index.Path);
        foreach (var collection in store.Collections())
        {
            using var encoder = VideoTextEncoder.Load(collection.Model.ToSource());
            var expected = new Searcher(store, collection, encoder).ByText("a dog is running", 3);
            var answer = await Get(running, $"/api/search?q=a+dog+is+running&k=3&all_clips=true&collection={collection.Id}");
            Assert.Equal(expected.Select(match => match.Clip.Id), answer.Results.Select(found => found.Clip));
            var videos = await Get(running, $"/api/search?q=a+dog+is+running&k=3&collection={collection.Id}");
            Assert.Equal(new Searcher(store, collection, encoder) { OnePerVideo = true }.ByText("a dog is running", 3).Select(match => match.Clip.Id), videos.Results.Select(found => found.Clip));
            Assert.Equal(3, videos.Results.Select(found => found.Path).Distinct().Count());
            foreach (var (match, found) in expected.Zip(answer.Results))
            {
                Assert.Equal(match.Score, found.Score, 4);
                Assert.Equal((match.Clip.Path, match.Clip.Span.Start, match.Clip.Span.End), (found.Path, found.Start, found.End));
            }
        }
    }

    [Fact]
    public async Task An_answer_says_whether_all_clips_were_looked_at()
    {
        using var running = index.Serve();
        const string query = "/api/search?q=a+dog&k=3&collection=2";
        var before = await Get(running, query);
        using (var store = ClipStore.Open(index.Path)) store.ApproximateIndexBuilder(store.Collections()[1])!.Build();
        // The server takes it without being started anew.
        var (near, exact) = (await Get(running, query), await Get(running, query + "&exact=true"));
        Assert.Equal((false, true, false), (before.Approximate, near.Approximate, exact.Approximate));
        Assert.Equal(before.Results, near.Results);
        Assert.Equal(before.Results, exact.Results);
        Directory.Delete(index.Path + ".approximate", recursive: true);
        Assert.False((await Get(running, query)).Approximate);
    }

    [Fact]
    public async Task A_video_that_is_sent_finds_itself_and_a_clip_finds_others()
    {
        using var running = index.Serve();
        using var body = new StreamContent(File.OpenRead(index.Video("mandelbrot"))) { Headers = { ContentType = new("video/mp4") } };
        using var sent = await running.Client.PostAsync(new Uri("/api/search?collection=1&k=1", UriKind.Relative), body);
        var best = Assert.Single((await sent.Content.ReadFromJsonAsync<Answer>())!.Results);
        Assert.Equal("mandelbrot.mp4", best.File);

        var similar = await Get(running, $"/api/collections/1/clips/{best.Clip}/similar?k=100&all_clips=true");
        Assert.Equal(6, similar.Results.Length);
        Assert.DoesNotContain(similar.Results, found => found.Clip == best.Clip);
        Assert.Empty((await Get(running, $"/api/collections/1/clips/{best.Clip}/similar?tag=none")).Results);
    }

    [Fact]
    public async Task Examples_and_what_is_not_to_be_seen_change_what_is_found()
    {
        using var running = index.Serve();
        var plain = await Get(running, "/api/search?q=a+dog&k=100&all_clips=true&collection=1");
        var clip = plain.Results[^1];
        var mixed = await Get(running, $"/api/search?q=a+dog&like={clip.Clip}&k=100&all_clips=true&collection=1");
        Assert.Equal(plain.Results.Length - 1, mixed.Results.Length);   // the example is not among them
        var alone = await Get(running, $"/api/search?like={clip.Clip}&k=100&all_clips=true&collection=1");
        var similar = await Get(running, $"/api/collections/1/clips/{clip.Clip}/similar?k=100&all_clips=true");
        Assert.Equal(similar.Results.Select(found => found.Clip), alone.Results.Select(found => found.Clip));
        var without = await Get(running, "/api/search?q=a+dog+-bike&k=100&all_clips=true&collection=1");
        Assert.Equal(plain.Results.Select(found => found.Clip).Order(), without.Results.Select(found => found.Clip).Order());
        Assert.NotEqual(plain.Results.Select(found => found.Score), without.Results.Select(found => found.Score));
        foreach (var (query, status) in new[] { ("q=-rain", 400), ("like=99", 404), ("like=x", 400), ("q=", 400), ("q=x&offset=-1", 400), ("q=x&offset=9901", 400) })
            Assert.Equal(status, (int)(await running.Client.GetAsync(new Uri($"/api/search?{query}&collection=1", UriKind.Relative))).StatusCode);
    }

    [Fact]
    public async Task Pages_follow_each_other()
    {
        using var running = index.Serve();
        var all = await Get(running, "/api/search?q=a+dog&k=100&all_clips=true&collection=1");
        var pages = new List<long>();
        for (var offset = 0; ; offset += 3)
        {
            var page = await Get(running, $"/api/search?q=a+dog&k=3&offset={offset}&all_clips=true&collection=1");
            if (page.Results.Length == 0) break;
            pages.AddRange(page.Results.Select(found => found.Clip));
        }
        Assert.Equal(all.Results.Select(found => found.Clip), pages);
    }

    [Fact]
    public async Task A_timeline_scores_the_clips_of_the_video_as_a_search_does()
    {
        using var running = index.Serve();
        var all = await Get(running, "/api/search?q=a+dog&k=100&all_clips=true&collection=1");
        var one = all.Results.First(found => found.File == "testsrc.mp4");
        var timeline = await running.Client.GetFromJsonAsync<JsonElement>(new Uri($"/api/collections/1/clips/{one.Clip}/timeline?q=a+dog", UriKind.Relative));
        Assert.Equal(4, timeline.GetProperty("seconds").GetDouble(), 0.2);
        var clips = timeline.GetProperty("clips").EnumerateArray().ToList();
        Assert.Equal([0.0, 2.0], clips.Select(clip => clip.GetProperty("start").GetDouble()));
        foreach (var clip in clips)
            Assert.Equal(all.Results.Single(found => found.Clip == clip.GetProperty("clip").GetInt64()).Score, clip.GetProperty("score").GetSingle(), 1e-4f);
    }

    [Fact]
    public async Task A_clip_has_a_picture_and_its_video_comes_in_ranges()
    {
        using var running = index.Serve();
        var found = (await Get(running, "/api/search?q=x&k=1&collection=2")).Results[0];
        var whole = await File.ReadAllBytesAsync(found.Path);
        using var request = new HttpRequestMessage(HttpMethod.Get, found.Video);
        request.Headers.Range = new(10, 19);
        using var part = await running.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
        Assert.Equal("video/mp4", part.Content.Headers.ContentType!.MediaType);
        Assert.Equal(whole[10..20], await part.Content.ReadAsByteArrayAsync());
        using var head = await running.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, found.Video));
        Assert.Equal(whole.Length, head.Content.Headers.ContentLength);

        var picture = await running.Client.GetByteArrayAsync(new Uri(found.Thumbnail, UriKind.Relative));
        Assert.Equal([0xFF, 0xD8], picture[..2]);
        Assert.Equal(picture, await running.Client.GetByteArrayAsync(new Uri(found.Thumbnail, UriKind.Relative)));
    }

    [Fact]
    public async Task The_index_tells_what_it_holds_and_takes_up_what_is_added()
    {
        using var growing = new VideoIndex();
        using var running = growing.Serve();
        using var before = await Json(running, "/api/collections");
        Assert.Equal(["zero-shot clip", "red"], before.RootElement.GetProperty("collections").EnumerateArray().Select(item => item.GetProperty("name").GetString()));
        Assert.Equal(7, before.RootElement.GetProperty("collections")[0].GetProperty("clips").GetInt32());

        Ffmpeg.Make(growing.Video("new"), "color=blue:s=64x48:r=10", "-t", "2", "-pix_fmt", "yuv420p");
        growing.Fill(growing.ZeroShot);
        Assert.Contains((await Get(running, "/api/search?q=x&collection=1")).Results, found => found.File == "new.mp4");
        growing.Fill(new ModelSource(growing.ZeroShot.Clip) { Adapter = Copy(growing), Frames = 3 });
        using var after = await Json(running, "/api/collections");
        var added = Assert.Single(after.RootElement.GetProperty("collections").EnumerateArray(), item => item.GetProperty("name").GetString() == "blue");
        Assert.NotEmpty((await Get(running, $"/api/search?q=x&collection={added.GetProperty("id")}")).Results);
    }

    [Fact]
    public async Task Several_collections_share_one_backbone_and_one_that_does_not_load_hinders_no_other()
    {
        using var broken = new VideoIndex();
        File.Delete(broken.File("red.safetensors"));
        using var running = broken.Serve();
        Assert.NotEmpty((await Get(running, "/api/search?q=x&collection=1")).Results);
        using var refused = await running.Client.GetAsync(new Uri("/api/search?q=x&collection=2", UriKind.Relative));
        Assert.Contains("red.safetensors", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_api_describes_itself_and_counts_what_it_does()
    {
        using var running = index.Serve();
        await Get(running, "/api/search?q=x&collection=1");
        using var api = await Json(running, "/openapi/v1.json");
        var search = api.RootElement.GetProperty("paths").GetProperty("/api/search");
        Assert.Contains(search.GetProperty("get").GetProperty("parameters").EnumerateArray(), item => item.GetProperty("name").GetString() == "q");
        Assert.True(search.TryGetProperty("post", out _));
        Assert.Equal("ok\n", await running.Client.GetStringAsync(new Uri("/healthz", UriKind.Relative)));
        Assert.Equal("ready\n", await running.Client.GetStringAsync(new Uri("/readyz", UriKind.Relative)));
        var metrics = await running.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Matches("""mvadapter_requests_total\{.*route="/api/search",status="200"\} 1\n""", metrics);
        Assert.Matches("""mvadapter_encode_batch_size_bucket\{.*le="1"\} 1\n""", metrics);
        Assert.Matches("""mvadapter_index_clips\{.*collection="1"\} 7\n""", metrics);
    }

    [Fact]
    public async Task Two_hundred_clients_at_once_each_get_their_own_answer()
    {
        using var running = index.Serve();
        string[] questions = ["a dog", "a man is riding a bike", "the park", "a woman is talking"];
        var alone = new Dictionary<string, Answer>();
        foreach (var question in questions) alone[question] = await Get(running, Address(question));
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => (Question: questions[i % 4], Answer: await Get(running, Address(questions[i % 4])))));
        foreach (var (question, answer) in answers)
        {
            Assert.Equal(alone[question].Results.Select(found => found.Clip), answer.Results.Select(found => found.Clip));
            Assert.Equal(alone[question].Results[0].Score, answer.Results[0].Score, 4);
        }

        static string Address(string question) => $"/api/search?q={Uri.EscapeDataString(question)}&k=3&collection=2";
    }

    [Fact]
    public void It_ends_within_a_second_though_clients_are_connected()
    {
        using var running = index.Serve();
        using var idle = new System.Net.Sockets.TcpClient("127.0.0.1", new Uri(running.Url).Port);
        idle.GetStream().Write("POST /api/search?collection=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\nContent-Length: 1000\r\n\r\nabc"u8);
        Thread.Sleep(100);
        var clock = System.Diagnostics.Stopwatch.StartNew();
        running.Stop();
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 1);
    }

    // Another adapter in all but its weights' file: other settings, so another identity.
    private static string Copy(VideoIndex growing)
    {
        var path = growing.File("blue.safetensors");
        using var clip = MvAdapter.Clip.ClipCheckpoint.Load(growing.ZeroShot.Clip);
        using var model = RetrievalModel.Create(clip, MvAdapter.Adapters.Methods.Find("adaptformer").Create(clip.Config));
        MvAdapter.AdapterCheckpoint.Save(path, model);
        return path;
    }

    private static async Task<Answer> Get(RunningServer running, string address)
    {
        using var response = await running.Client.GetAsync(new Uri(address, UriKind.Relative));
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<Answer>())!;
    }

    private static async Task<JsonDocument> Json(RunningServer running, string address) =>
        JsonDocument.Parse(await running.Client.GetStringAsync(new Uri(address, UriKind.Relative)));
}
