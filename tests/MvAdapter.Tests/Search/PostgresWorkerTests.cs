using System.Diagnostics;
using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>Workers on one index in PostgreSQL, as processes that are killed, and a server that is killed under them.</summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class PostgresWorkerTests : IClassFixture<PostgresServer>, IDisposable
{
    private const int Videos = 40;
    private readonly PostgresServer server;
    private readonly TinyClip clip;
    private readonly TemporaryFolder folder = new();
    private readonly string address;

    public PostgresWorkerTests(PostgresServer server, TinyClip clip)
    {
        (this.server, this.clip) = (server, clip);
        address = server.Address(server.NewDatabase());
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Four_workers_index_every_video_once()
    {
        MakeVideos();
        folder.Write("videos/text.mp4", "no video at all");
        Queue();
        var workers = Enumerable.Range(0, 4).Select(_ => Work("--attempts", "2", "--retry-after", "0")).ToArray();
        foreach (var worker in workers) Assert.Contains(CommandLine.Finish(worker).ExitCode, new[] { 0, 3 });

        Assert.Equal(Videos, CheckIndex());
        var jobs = Jobs();
        Assert.Equal((0, 0, Videos, 1), (jobs.GetProperty("ready").GetInt32(), jobs.GetProperty("taken").GetInt32(), jobs.GetProperty("done").GetInt32(), jobs.GetProperty("dead").GetInt32()));
        Assert.Contains("text.mp4", jobs.GetProperty("jobs")[0].GetProperty("problem").GetString(), StringComparison.Ordinal);
        Assert.Equal(Videos + 2L, Ask("SELECT sum(attempts) FROM mvadapter.jobs"));
        CommandLine.Run("index", "jobs", "--index", address, "--retry-dead").Succeeds();
        Assert.Equal(1, Jobs().GetProperty("ready").GetInt32());
    }

    [Fact]
    public void Killed_workers_and_a_killed_server_lose_nothing()
    {
        var kills = Kills.Of(20);
        MakeVideos();
        Queue();
        var random = new Random(5);
        var workers = new List<Process> { Work("--lease", "2", "--attempts", "100") };
        for (var kill = 0; kill < kills; kill++)
        {
            Thread.Sleep(random.Next(100, 1200));
            if (kill % 3 == 0) server.KillAndRestart();
            else
            {
                var victim = workers[random.Next(workers.Count)];
                victim.Kill();
                victim.WaitForExit();
                workers.Remove(victim);
            }
            while (workers.Count < 2) workers.Add(Work("--lease", "2", "--attempts", "100"));
            using (var store = ClipStore.Open(address)) Assert.Empty(store.Verify());
            // Work that is done could not be lost any more.
            if ((long)Ask("SELECT count(*) FROM mvadapter.jobs WHERE due IS NOT NULL")! == 0) Forget();
        }
        foreach (var worker in workers)
        {
            // One that began while the server was away has said so.
            var (code, _, error) = CommandLine.Finish(worker);
            Assert.True(code == 0 || error.Contains("cannot be reached", StringComparison.Ordinal) || error.Contains("starting up", StringComparison.Ordinal), error);
        }
        CommandLine.Finish(Work()).Succeeds();
        Assert.Equal(Videos, CheckIndex());
    }

    [Fact]
    public void What_is_queued_with_a_tag_is_found_by_it()
    {
        MakeVideos();
        string[] queue = ["index", "queue", "--index", address, "--clip", clip.Checkpoint];
        CommandLine.Run([.. queue, folder.File("videos/00.mp4"), "--tag", "first", "--tag", "few"]).Succeeds();
        CommandLine.Run([.. queue, folder.File("videos/01.mp4")]).Succeeds();
        CommandLine.Finish(Work()).Succeeds();
        string[] Found(params string[] more) => [.. JsonDocument.Parse(CommandLine.Run(["search", "a man", "--index", address, "--json", .. more]).Succeeds().Output)
            .RootElement.EnumerateArray().Select(match => match.GetProperty("file").GetString()!)];
        Assert.Equal(2, Found().Length);
        Assert.Equal(["00.mp4"], Found("--tag", "few"));
    }

    private void Forget() => Ask("UPDATE mvadapter.jobs SET state = 'ready', due = now(), attempts = 0; DELETE FROM mvadapter.videos");

    // Videos of different content: copies would be taken for one that has moved.
    private void MakeVideos()
    {
        Directory.CreateDirectory(folder.File("videos"));
        Ffmpeg.Make(folder.File("videos/%02d.mp4"), $"testsrc2=d={Videos}:s=32x32:r=4", "-pix_fmt", "yuv420p", "-g", "4", "-f", "segment", "-segment_time", "1", "-reset_timestamps", "1");
        Assert.Equal(Videos, Directory.GetFiles(folder.File("videos")).Length);
    }

    private void Queue() => CommandLine.Run("index", "queue", folder.File("videos"), "--index", address, "--clip", clip.Checkpoint).Succeeds();

    private Process Work(params string[] options) => CommandLine.Start(["index", "work", "--index", address, "--exit-when-empty", "--threads", "1", .. options]);

    private object? Ask(string sql) => server.Ask(new Uri(address).AbsolutePath[1..], sql);

    private JsonElement Jobs() => JsonDocument.Parse(CommandLine.Run("index", "jobs", "--index", address, "--json").Succeeds().Output).RootElement;

    // Each video has its clips once; how many videos.
    private int CheckIndex()
    {
        CommandLine.Run("index", "verify", "--index", address).Succeeds();
        using var store = ClipStore.Open(address);
        var collection = Assert.Single(store.Collections());
        var videos = store.Videos(collection).Where(video => video.Entry.Problem is null).ToList();
        Assert.All(videos, video => Assert.Equal(1, video.Clips));
        return videos.Count;
    }
}
