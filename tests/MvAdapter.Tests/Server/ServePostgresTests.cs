using System.Globalization;
using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary><c>serve</c> over an index in PostgreSQL answers as the command line does; what it is filled with meanwhile is found.</summary>
[Collection("Command line")]
public sealed class ServePostgresTests(TinyClip clip, PostgresServer server) : IClassFixture<PostgresServer>, IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string database = server.NewDatabase();

    public void Dispose()
    {
        folder.Dispose();
        server.Execute("postgres", $"DROP DATABASE {database} WITH (FORCE)");
    }

    [Fact]
    public async Task A_server_over_PostgreSQL_finds_what_the_command_line_finds()
    {
        var address = server.Address(database);
        Ffmpeg.Make(folder.File("bars.mp4"), "smptebars=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
        Ffmpeg.Make(folder.File("test.mp4"), "testsrc2=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
        CommandLine.Run("index", "add", folder.File("bars.mp4"), "--index", address, "--clip", clip.Checkpoint).Succeeds();
        using var process = CommandLine.Start(["serve", "--index", address, "--port", "0"]);
        try
        {
            var line = await process.StandardOutput.ReadLineAsync() ?? await process.StandardError.ReadToEndAsync();
            Assert.Contains("http://127.0.0.1:", line, StringComparison.Ordinal);
            var url = CommandLine.AddressIn(line);
            using var client = new HttpClient { BaseAddress = new Uri(url) };
            Assert.Equal(["bars.mp4"], await Found(client));
            CommandLine.Run("index", "add", folder.File("test.mp4"), "--index", address).Succeeds();
            using var searched = JsonDocument.Parse(CommandLine.Run("search", "a man", "--index", address, "--json").Succeeds().Output);
            var names = searched.RootElement.EnumerateArray().Select(match => match.GetProperty("file").GetString()!).ToList();
            Assert.Equal(2, names.Count);
            Assert.Equal(names, await Found(client));
        }
        finally
        {
            System.Diagnostics.Process.Start("kill", ["-s", "INT", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(10)));
        }
    }

    [Fact]
    public async Task While_a_shard_is_away_page_and_command_line_say_that_answers_are_partial()
    {
        using var second = new PostgresServer();
        var (address, shard) = (server.Address(database), second.Address(second.NewDatabase()));
        Ffmpeg.Make(folder.File("bars.mp4"), "smptebars=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
        CommandLine.Run("index", "add", folder.File("bars.mp4"), "--index", address, "--clip", clip.Checkpoint).Succeeds();
        var added = CommandLine.Run("index", "shards", "add", shard, "--index", address).Succeeds();
        Assert.Contains("1 videos belong on another server now", added.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(new Uri(shard).UserInfo.Split(':')[1], added.Output + added.Error, StringComparison.Ordinal);
        Assert.Contains("1 videos moved", CommandLine.Run("index", "shards", "move", "--index", address).Succeeds().Output, StringComparison.Ordinal);
        Assert.Contains("1 clips of 1 videos", CommandLine.Run("index", "shards", "--index", address).Succeeds().Output, StringComparison.Ordinal);
        using var process = CommandLine.Start(["serve", "--index", address, "--port", "0"]);
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri(CommandLine.AddressIn(await process.StandardOutput.ReadLineAsync() ?? "")) };
            Assert.Equal((false, 1, null), await Asked(client));
            second.Stop();
            Assert.Equal((true, 0, "no-store"), await Asked(client));
            Assert.Contains("DOES NOT ANSWER", CommandLine.Run("index", "shards", "--index", address).Succeeds().Output, StringComparison.Ordinal);
            Assert.Contains("this answer is partial", CommandLine.Run("search", "a man", "--index", address).Succeeds().Error, StringComparison.Ordinal);
            Assert.Contains("mvadapter_partial_answers", await client.GetStringAsync(new Uri("/metrics", UriKind.Relative)), StringComparison.Ordinal);
            second.Start();
            for (var i = 0; i < 60 && (await Asked(client)).Partial; i++) await Task.Delay(500);
            Assert.Equal((false, 1, null), await Asked(client));
        }
        finally
        {
            System.Diagnostics.Process.Start("kill", ["-s", "INT", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
            Assert.True(process.WaitForExit(TimeSpan.FromSeconds(10)));
        }
    }

    private static async Task<(bool Partial, int Results, string? Cache)> Asked(HttpClient client)
    {
        using var answer = await client.GetAsync(new Uri("/api/search?q=a+man", UriKind.Relative));
        using var found = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return (found.RootElement.GetProperty("partial").GetBoolean(), found.RootElement.GetProperty("results").GetArrayLength(), answer.Headers.CacheControl?.ToString());
    }

    private static async Task<List<string>> Found(HttpClient client)
    {
        using var answer = JsonDocument.Parse(await client.GetStringAsync(new Uri("/api/search?q=a+man", UriKind.Relative)));
        return [.. answer.RootElement.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("file").GetString()!)];
    }
}
