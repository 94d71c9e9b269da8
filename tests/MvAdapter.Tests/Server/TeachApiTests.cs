using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>Captions, marks and what guards them, over HTTP.</summary>
public sealed class TeachApiTests : IDisposable
{
    private const string Clip = "/api/collections/1/clips/1/annotations";
    private readonly VideoIndex index = new();
    private readonly TemporaryFolder folder = new();

    public void Dispose()
    {
        folder.Dispose();
        index.Dispose();
    }

    [Fact]
    public async Task A_caption_is_kept_once_shown_and_taken_back()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        const string text = "<img src=x onerror=alert(1)> \u72ac & 'co'";
        foreach (var _ in new int[2])
        {
            var said = await Post(running, Clip, new { token = "t1", kind = "caption", text });
            Assert.Equal((text, "caption", "t1", ""), (said.GetProperty("text").GetString(), said.GetProperty("kind").GetString(), said.GetProperty("token").GetString(), said.GetProperty("who").GetString()));
        }
        Assert.Equal(1, (await Get(running, Clip)).GetArrayLength());
        Assert.Equal(0, (await Get(running, "/api/collections/1/clips/2/annotations")).GetArrayLength());
        var status = await Get(running, "/api/teaching?collection=1");
        Assert.Equal((1, 1, true, false), (status.GetProperty("captions").GetInt32(), status.GetProperty("clips").GetInt32(), status.GetProperty("writable").GetBoolean(), status.GetProperty("mayTrain").GetBoolean()));
        // The same clip in the other collection, which another model encoded, is the same clip.
        var other = (await Get(running, "/api/search?q=x&collection=2&k=100&all_clips=true")).GetProperty("results").EnumerateArray().ToList();
        Assert.Single(other, clip => Get(running, $"/api/collections/2/clips/{clip.GetProperty("clip")}/annotations").Result.GetArrayLength() == 1);
        using var gone = await running.Client.DeleteAsync(new Uri("/api/annotations/t1", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        Assert.Equal(0, (await Get(running, Clip)).GetArrayLength());
    }

    [Fact]
    public async Task Marks_are_those_of_the_query()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        await Post(running, Clip, new { kind = "right", text = " a  dog " });
        await Post(running, Clip, new { kind = "wrong", text = "a cat" });
        await Post(running, "/api/collections/1/clips/2/annotations", new { kind = "wrong", text = "a dog" });
        var marks = await Get(running, "/api/collections/1/marks?q=a+dog&clips=1,2,3,99");
        Assert.Equal(["1:right", "2:wrong"], marks.EnumerateObject().Select(mark => $"{mark.Name}:{mark.Value.GetProperty("kind").GetString()}"));
    }

    [Fact]
    public async Task Clips_that_are_captioned_or_passed_over_are_not_offered_again()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        var first = Offered(await Get(running, "/api/collections/1/teach"));
        Assert.NotEmpty(first);
        await Post(running, $"/api/collections/1/clips/{first[0]}/annotations", new { kind = "caption", text = "colours" });
        Assert.DoesNotContain(first[0], Offered(await Get(running, "/api/collections/1/teach")));
        Assert.DoesNotContain(first[1], Offered(await Get(running, $"/api/collections/1/teach?skip={first[1]}")));
        Assert.Single(Offered(await Get(running, "/api/collections/1/teach?count=1")));

        static List<long> Offered(JsonElement answer) => [.. answer.GetProperty("clips").EnumerateArray().Select(clip => clip.GetProperty("clip").GetInt64())];
    }

    [Fact]
    public async Task While_the_model_is_busy_people_go_on()
    {
        // One question may wait, so that two texts at once are one too many.
        using var running = index.Serve(new ServerOptions { Writable = true, MaxWaiting = 1 });
        foreach (var text in Enumerable.Range(0, 40).Select(i => $"caption {i}")) await Post(running, Clip, new { kind = "caption", text });
        Assert.NotEqual(0, (await Get(running, "/api/collections/1/teach")).GetProperty("clips").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"kind":"caption","text":""}""", 400, "a caption must not be empty")]
    [InlineData("""{"kind":"caption"}""", 400, "a caption must not be empty")]
    [InlineData("""{"kind":"praise","text":"x"}""", 400, "kind must be caption, right or wrong")]
    [InlineData("""{"kind":"caption","text":"a\u0007b"}""", 400, "control characters")]
    [InlineData("""{"kind":"caption","text":"x","token":"a b"}""", 400, "a token has")]
    [InlineData("""{"kind":""", 400, "the body is no JSON")]
    public async Task What_is_no_caption_is_refused(string body, int status, string reason)
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        Refused(await Send(running, Clip, body), status, reason);
        Assert.Equal(0, (await Get(running, Clip)).GetArrayLength());
    }

    [Fact]
    public async Task Too_long_a_caption_and_a_clip_that_is_gone_are_refused()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        Refused(await Send(running, Clip, JsonSerializer.Serialize(new { kind = "caption", text = new string('x', 10_000) })), 400, "at most 500 characters, not 10000");
        Refused(await Send(running, Clip, JsonSerializer.Serialize(new { kind = "caption", text = new string('x', 100_000) })), 413, "too large");
        Refused(await Send(running, "/api/collections/1/clips/999/annotations", """{"kind":"caption","text":"x"}"""), 404, "there is no clip 999 in collection 1 any more");
        Refused(await Send(running, "/api/collections/9/clips/1/annotations", """{"kind":"caption","text":"x"}"""), 404, "there is no collection 9");
        Refused(await Send(running, "/api/teaching/train", """{"collection":1}"""), 403, "this server does not train");
    }

    [Fact]
    public async Task Other_sites_and_plain_forms_write_nothing()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        const string body = """{"kind":"caption","text":"x"}""";
        foreach (var (name, value) in new[] { ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "http://127.0.0.1:1"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site") })
            Refused(await Send(running, Clip, body, (name, value)), 403, "another site");
        foreach (var type in new[] { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data" })
            Refused(await Send(running, Clip, body, type: type), 415, "send JSON");
        Assert.Equal(0, (await Get(running, Clip)).GetArrayLength());
        Assert.Equal(HttpStatusCode.OK, (await Send(running, Clip, body, ("Origin", running.Url.TrimEnd('/')))).Status);
    }

    [Fact]
    public async Task Nobody_writes_faster_than_people_do()
    {
        using var running = index.Serve(new ServerOptions { Writable = true });
        var refused = 0;
        for (var i = 0; i < 400 && refused == 0; i++)
            if ((await Send(running, Clip, JsonSerializer.Serialize(new { kind = "caption", text = $"caption {i}" }))).Status == HttpStatusCode.ServiceUnavailable) refused = i;
        Assert.InRange(refused, 200, 399);
        await Get(running, "/api/search?q=x&collection=1");
    }

    [Fact]
    public async Task An_index_for_reading_is_taught_nothing()
    {
        using var running = index.Serve();
        Refused(await Send(running, Clip, """{"kind":"caption","text":"x"}"""), 403, "opened for reading only");
        Assert.False((await Get(running, "/api/teaching?collection=1")).GetProperty("writable").GetBoolean());
    }

    [Fact]
    public async Task A_key_may_read_teach_or_train_and_its_name_stays_with_what_it_says()
    {
        var file = folder.File("keys");
        var keys = Enum.GetValues<KeyRole>().ToDictionary(role => role, role => ApiKeys.Add(file, $"{role}r", role));
        using var running = index.Serve(new ServerOptions { Writable = true, ApiKeys = file, Teaching = new TeachingOptions(folder.File("runs"), (_, _) => throw new UsageException("as far as it goes"), (_, _) => throw new NotSupportedException()) });
        foreach (var (role, key) in keys)
        {
            var caption = await Send(running, Clip, $$"""{"kind":"caption","text":"by {{role}}"}""", ("Authorization", "Bearer " + key));
            if (role >= KeyRole.Teach) Assert.Equal($"{role}r", JsonDocument.Parse(caption.Body).RootElement.GetProperty("who").GetString());
            else Refused(caption, 403, "it takes one with the role teach");
            var train = await Send(running, "/api/teaching/train", """{"collection":1}""", ("Authorization", "Bearer " + key));
            if (role == KeyRole.Train) Refused(train, 400, "as far as it goes");
            else Refused(train, 403, "it takes one with the role train");
        }
        Refused(await Send(running, Clip, """{"kind":"caption","text":"x"}"""), 401, "a key is required");
    }

    private static void Refused((HttpStatusCode Status, string Body) answer, int status, string reason)
    {
        Assert.True((int)answer.Status == status, $"{answer.Status}: {answer.Body}");
        Assert.Contains(reason, JsonDocument.Parse(answer.Body).RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private static async Task<JsonElement> Get(RunningServer running, string address) => await running.Client.GetFromJsonAsync<JsonElement>(new Uri(address, UriKind.Relative));

    private static async Task<JsonElement> Post(RunningServer running, string address, object body)
    {
        var (status, text) = await Send(running, address, JsonSerializer.Serialize(body));
        Assert.True(status == HttpStatusCode.OK, text);
        return JsonDocument.Parse(text).RootElement;
    }

    private static async Task<(HttpStatusCode Status, string Body)> Send(RunningServer running, string address, string body, (string Name, string Value)? header = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new StringContent(body, Encoding.UTF8, type) };
        if (header is var (name, value)) request.Headers.TryAddWithoutValidation(name, value);
        using var answer = await running.Client.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
