using System.Net.Http.Json;
using System.Text.Json;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>Teaching over PostgreSQL and over a file: the same, request by request.</summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class TeachPostgresTests(TinyClip clip, PostgresServer server) : IClassFixture<PostgresServer>, IDisposable
{
    private const int Videos = 10;
    private readonly TemporaryFolder folder = new();
    private readonly string database = server.NewDatabase();

    public void Dispose()
    {
        folder.Dispose();
        server.Execute("postgres", $"DROP DATABASE {database} WITH (FORCE)");
    }

    [Fact]
    public async Task Both_stores_answer_teaching_alike_and_train_on_the_same()
    {
        Ffmpeg.MakeColors(folder.File("videos"), Videos);
        string[] stores = [folder.File("i.db"), server.Address(database)];
        var told = new List<List<string>>();
        foreach (var store in stores)
        {
            CommandLine.Run("index", "add", folder.File("videos"), "--clip", clip.Checkpoint, "--frames", "3", "--index", store).Succeeds();
            told.Add(await Teach(store));
            told[^1].Add(CommandLine.Run("index", "captions", "export", "-", "--index", store).Succeeds().Output);
            var run = folder.File($"run-{told.Count}");
            CommandLine.Run("index", "train", "--index", store, "--output", run, "--precision", "fp32", "--all").Succeeds();
            // What is learnt from, and so what comes out.
            told[^1].Add(Convert.ToHexString(await File.ReadAllBytesAsync(Path.Combine(run, "part0.jsonl"))));
            CommandLine.Run("index", "use", run, "--index", store, "--force").Succeeds();
            told[^1].Add(CommandLine.Run("search", "said of 3", "--index", store, "--json").Succeeds().Output);
        }
        Assert.Equal(told[0], told[1]);
    }

    // All that somebody can do, and what is answered.
    private static async Task<List<string>> Teach(string index)
    {
        using var running = new RunningServer(index, new ServerOptions { Writable = true });
        var told = new List<string>();
        async Task Ask(string path) => told.Add(await running.Client.GetStringAsync(new Uri(path, UriKind.Relative)));
        async Task Say(long clip, string kind, string text, string token)
        {
            using var answer = await running.Client.PostAsJsonAsync($"/api/collections/1/clips/{clip}/annotations", new { token, kind, text });
            told.Add($"{answer.StatusCode} {JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty(answer.IsSuccessStatusCode ? "token" : "detail")}");
        }
        await Ask("/api/collections/1/teach");
        foreach (var i in Enumerable.Range(1, Videos)) await Say(i, "caption", $"said of {i} <b>\u72ac</b>", $"c{i}");
        await Say(1, "caption", "said of 1 <b>\u72ac</b>", "again");
        await Say(1, "caption", "another", "c1");
        await Say(2, "right", "a query", "r1");
        await Say(3, "wrong", "a query", "r2");
        await Say(2, "wrong", "a query", "r3");
        await Say(2, "right", "a query -without", "r4");
        await Say(99, "caption", "of nothing", "n1");
        await Say(1, "caption", "", "n2");
        foreach (var token in new[] { "c10", "c10", "none" })
        {
            using var gone = await running.Client.DeleteAsync(new Uri($"/api/annotations/{token}", UriKind.Relative));
            told.Add(gone.StatusCode.ToString());
        }
        await Say(10, "caption", "said of ten", "c10");
        await Ask("/api/collections/1/marks?q=a+query&clips=1,2,3,4");
        await Ask("/api/teaching?collection=1");
        await Ask("/api/collections/1/teach?count=3");
        // When, only the clock knows.
        return [.. told.Select(text => System.Text.RegularExpressions.Regex.Replace(text, "\"at\":\"[^\"]*\"", "", System.Text.RegularExpressions.RegexOptions.None, TimeSpan.FromSeconds(1)))];
    }
}
