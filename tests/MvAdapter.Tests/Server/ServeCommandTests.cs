using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary><c>serve</c> and <c>keys</c> from outside.</summary>
public sealed class ServeCommandTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    [Fact]
    public async Task It_says_where_it_is_answers_logs_and_ends_on_Ctrl_C()
    {
        using var process = CommandLine.Start(["serve", "--index", index.Path, "--port", "0", "--log", "json"]);
        var line = await process.StandardOutput.ReadLineAsync();
        Assert.NotNull(line);
        var url = CommandLine.AddressIn(line);
        using (var client = new HttpClient())
            Assert.Contains("\"results\":[{", await client.GetStringAsync(new Uri(url + "/api/search?q=my+secret&collection=1")), StringComparison.Ordinal);
        var load = CommandLine.Run("bench", "serve", "--url", url, "--clients", "20", "--seconds", "2");
        Assert.Contains("failed 0", load.Succeeds().Output, StringComparison.Ordinal);

        Process.Start("kill", ["-s", "INT", process.Id.ToString(CultureInfo.InvariantCulture)])!.WaitForExit();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        var log = await process.StandardError.ReadToEndAsync(limit.Token);
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(10)));
        Assert.Equal(130, process.ExitCode);
        Assert.DoesNotContain("secret", log, StringComparison.Ordinal);
        using var first = JsonDocument.Parse(log.Split('\n')[0]);
        Assert.Equal("/api/search", first.RootElement.GetProperty("State").GetProperty("Path").GetString());
    }

    [Fact]
    public async Task A_collector_is_sent_numbers_and_traces()
    {
        using var collector = new TestServer(_ => new TestResponse(200, []));
        using var process = CommandLine.Start(["serve", "--index", index.Path, "--port", "0"], environment:
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Address.ToString().TrimEnd('/')), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ]);
        try
        {
            var line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            Assert.NotNull(line);
            var url = CommandLine.AddressIn(line);
            using var client = new HttpClient();
            await client.GetStringAsync(new Uri(url + "/api/search?q=a+dog&collection=1"), TestContext.Current.CancellationToken);
            var clock = Stopwatch.StartNew();
            while (!(Sent("/v1/traces") && Sent("/v1/metrics")) && clock.Elapsed < TimeSpan.FromSeconds(20)) await Task.Delay(50, TestContext.Current.CancellationToken);
            Assert.True(Sent("/v1/traces"), "no traces came");
            Assert.True(Sent("/v1/metrics"), "no numbers came");
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        bool Sent(string path) => collector.Requests.Any(request => request.Path == path);
    }

    [Fact]
    public void What_is_not_safe_or_not_there_is_refused_in_one_line()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Run("serve", "--index", index.Path, "--bind", "0.0.0.0").Fails(2, "other machines can reach 0.0.0.0");
        CommandLine.Run("serve", "--index", index.Path, "--bind", "example.org").Fails(2, "--bind takes an address");
        CommandLine.Run("serve", "--index", folder.File("none.db")).Fails(1, "there is no such index");
        CommandLine.Run("serve", "--index", index.Path, "--api-keys", folder.File("none")).Fails(1, "does not exist");
        CommandLine.Run("keys", folder.File("keys"), "--name", "two words").Fails(2, "the key's name");
        Assert.Matches("^mva_[0-9a-f]{64}\n$", CommandLine.Run("keys", folder.File("keys"), "--name", "alice").Succeeds().Output);
        using var running = index.Serve();
        CommandLine.Run("serve", "--index", index.Path, "--port", new Uri(running.Url).Port.ToString(CultureInfo.InvariantCulture)).Fails(1, "cannot listen on 127.0.0.1");
    }
}
