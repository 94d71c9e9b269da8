using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>Two people teach, a training runs and its adapter is put to use, while the server or the training is killed at random moments.</summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class TeachKillTests : IDisposable
{
    private const int Videos = 12;
    private const int ServersInTraining = 4;
    private const int ServersInEncoding = 3;
    private const int KillsOfAJob = 2;   // in each server's life, which ends by one of its own
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
    private readonly TinyClip clip;
    private readonly TemporaryFolder folder = new();
    private readonly Random random = new(5);
    private readonly ConcurrentBag<string> acknowledged = [];
    private readonly Dictionary<string, int> next = new(StringComparer.Ordinal) { ["alice"] = 0, ["bob"] = 0 };

    public TeachKillTests(TinyClip clip)
    {
        this.clip = clip;
        Ffmpeg.MakeColors(folder.File("videos"), Videos);
        File.WriteAllLines(folder.File("captions.csv"), ["video,caption", .. Enumerable.Range(0, Videos).Select(i => $"{i:00}.mp4,a dog number {i}")]);
        CommandLine.Run("index", "add", folder.File("videos"), "--clip", clip.Checkpoint, "--frames", "3", "--index", folder.File("i.db")).Succeeds();
        CommandLine.Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos"), "--index", folder.File("i.db")).Succeeds();
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Nothing_that_was_said_is_lost_or_doubled_and_no_half_collection_answers()
    {
        await Begin();
        for (var life = 0; life < ServersInTraining; life++) await Life("train");
        await Whole("train", "done");
        for (var life = 0; life < ServersInEncoding; life++) await Life("use");
        await Whole("use", "used");

        using var store = ClipStore.Open(folder.File("i.db"));
        var said = store.Annotations.All().Where(annotation => annotation.Text.StartsWith("said by", StringComparison.Ordinal)).Select(annotation => annotation.Token).ToList();
        Assert.Equal(acknowledged.Order(StringComparer.Ordinal), said.Order(StringComparer.Ordinal));
        Assert.True(next.Values.All(count => count > 20), string.Join(", ", next));
        var collection = Assert.Single(store.Latest());
        Assert.Equal((2L, (long)Videos), (collection.Id, store.Info(collection).Clips));
        Assert.Empty(store.Verify());
    }

    // The training begins with the captions that were imported; what is said from now on is for the next one.
    private async Task Begin()
    {
        using var server = await Server.Start(folder.File("i.db"));
        await server.Ask("train");
        var clock = Stopwatch.StartNew();
        while (!File.Exists(folder.File("i.db.taught/run-1/clips.json")))
        {
            Assert.True(clock.Elapsed < Limit);
            await Task.Delay(50);
        }
        server.Kill();
    }

    // A server's life: both people go on, the job goes on, its process is killed and begun again, and then the server is killed.
    private async Task Life(string job)
    {
        using var server = await Server.Start(folder.File("i.db"));
        using var end = new CancellationTokenSource();
        var people = next.Keys.Select(name => Say(server.Client, name, end.Token)).ToList();
        for (var kills = 0; kills < KillsOfAJob; kills++)
        {
            await server.Ask(job);
            await SomeTime();
            server.KillChildren();
            await OnlyWholeCollections(server.Client);
        }
        await server.Ask(job);
        await SomeTime();
        server.Kill();
        end.Cancel();
        await Task.WhenAll(people);
    }

    private Task SomeTime() => Task.Delay(random.Next(100, 1500));

    // The job to its end.
    private async Task Whole(string job, string stage)
    {
        using var server = await Server.Start(folder.File("i.db"));
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var state = await server.Client.GetFromJsonAsync<JsonElement>("/api/teaching?collection=1");
            var now = state.GetProperty("job") is { ValueKind: JsonValueKind.Object } told ? told.GetProperty("stage").GetString() : "";
            if (!state.GetProperty("running").GetBoolean())
            {
                if (now == stage) break;
                await server.Ask(job);
            }
            Assert.True(clock.Elapsed < Limit, $"{job}: {state}");
            await Task.Delay(100);
        }
        await OnlyWholeCollections(server.Client);
        server.Kill();
    }

    // A person goes on with what was not acknowledged, under the same token.
    private async Task Say(HttpClient client, string name, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            var token = $"{name}-{next[name]}";
            try
            {
                using var answer = await client.PostAsJsonAsync($"/api/collections/1/clips/{1 + next[name] % Videos}/annotations", new { token, kind = "caption", text = $"said by {token}" }, end);
                if (answer.IsSuccessStatusCode)
                {
                    acknowledged.Add(token);
                    next[name]++;
                }
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // Not acknowledged.
            }
            await Task.Delay(10, CancellationToken.None);
        }
    }

    private static async Task OnlyWholeCollections(HttpClient client)
    {
        var index = await client.GetFromJsonAsync<JsonElement>("/api/collections");
        Assert.NotEmpty(index.GetProperty("collections").EnumerateArray());
        Assert.All(index.GetProperty("collections").EnumerateArray(), collection => Assert.Equal(Videos, collection.GetProperty("clips").GetInt32()));
    }

    private sealed class Server : IDisposable
    {
        private readonly Process process;

        private Server(Process process, string url) => (this.process, Client) = (process, new HttpClient { BaseAddress = new Uri(url) });

        public HttpClient Client { get; }

        public static async Task<Server> Start(string index)
        {
            var process = CommandLine.Start(["serve", "--index", index, "--port", "0"]);
            var errors = process.StandardError.ReadToEndAsync();
            var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException(await errors);
            return new Server(process, CommandLine.AddressIn(line));
        }

        // It may be refused: that of the server before may not have ended yet.
        public async Task Ask(string job)
        {
            using var answer = await Client.PostAsJsonAsync($"/api/teaching/{job}", new { collection = 1, force = true });
        }

        public void Kill()
        {
            process.Kill();
            process.WaitForExit();
        }

        public void KillChildren()
        {
            var children = Directory.GetDirectories($"/proc/{process.Id}/task").SelectMany(thread => File.ReadAllText(Path.Combine(thread, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries));
            foreach (var id in children)
            {
                try
                {
                    using var child = Process.GetProcessById(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture));
                    child.Kill();
                }
                catch (ArgumentException)
                {
                    // It has ended by itself.
                }
            }
        }

        public void Dispose()
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.Dispose();
            Client.Dispose();
        }
    }
}
