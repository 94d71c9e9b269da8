using System.Security.Cryptography;
using System.Text;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Checkpoints;

public sealed class HubDownloadTests : IDisposable
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private static readonly byte[] Content = Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31 >> 3)).ToArray();
    private static readonly string Sha256 = Convert.ToHexStringLower(SHA256.HashData(Content));
    private static readonly HubReference Model = HubReference.Parse("hf:openai/clip-tiny");

    private readonly TemporaryFolder temporary = new();

    public void Dispose() => temporary.Dispose();

    [Fact]
    public async Task A_model_comes_into_the_shared_cache_and_is_not_fetched_again()
    {
        using var hub = new TestServer(Hub());
        using var download = new HubDownload(Settings(hub));
        var folder = await download.DownloadModelAsync(Model);

        Assert.Equal(Path.Combine(temporary.Path, "models--openai--clip-tiny", "snapshots", Commit), folder);
        Assert.Equal(
            ["config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "vocab.json"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(Content, File.ReadAllBytes(Path.Combine(folder, "model.safetensors")));
        Assert.Contains(hub.Requests, request => request.Path == $"/openai/clip-tiny/resolve/{Commit}/vocab.json");

        var requests = hub.Requests.Count;
        using var offline = new HubDownload(Settings(hub) with { Offline = true });
        Assert.Equal(folder, await offline.DownloadModelAsync(Model));
        Assert.Equal(folder, await download.DownloadModelAsync(Model));
        Assert.Equal(requests, hub.Requests.Count);
    }

    [Fact]
    public async Task Older_weights_stand_in_where_there_are_no_others()
    {
        using var hub = new TestServer(Hub("model.safetensors", "preprocessor_config.json"));
        using var download = new HubDownload(Settings(hub));
        var folder = await download.DownloadModelAsync(Model);
        Assert.Equal(
            ["config.json", "merges.txt", "pytorch_model.bin", "vocab.json"],
            Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    // What repositories of OpenCLIP's models hold; the last has timm's files of one tower beside them.
    [Theory]
    [InlineData("open_clip_config.json open_clip_model.safetensors open_clip_pytorch_model.bin", "open_clip_config.json open_clip_model.safetensors")]
    [InlineData("open_clip_config.json open_clip_pytorch_model.bin vocab.json merges.txt", "merges.txt open_clip_config.json open_clip_pytorch_model.bin vocab.json")]
    [InlineData("config.json model.safetensors.index.json model-1.safetensors model-2.safetensors", "config.json model-1.safetensors model-2.safetensors model.safetensors.index.json")]
    [InlineData("config.json model.safetensors open_clip_config.json open_clip_model.safetensors", "config.json open_clip_config.json open_clip_model.safetensors")]
    public async Task A_model_of_the_OpenCLIP_family_comes_in_the_form_that_there_is(string there, string fetched)
    {
        using var hub = new TestServer(request => request.Path[(request.Path.LastIndexOf('/') + 1)..] is var name && there.Split(' ').Contains(name) ? Serve(request, name) : new TestResponse(404, []));
        using var download = new HubDownload(Settings(hub));
        var folder = await download.DownloadModelAsync(Model);
        Assert.Equal(fetched.Split(' '), Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var requests = hub.Requests.Count;
        Assert.Equal(folder, await download.DownloadModelAsync(Model));
        Assert.Equal(requests, hub.Requests.Count);
    }

    [Fact]
    public async Task A_model_that_does_not_exist_is_named()
    {
        using var hub = new TestServer(_ => new TestResponse(404, []));
        using var download = new HubDownload(Settings(hub));
        var exception = await Assert.ThrowsAsync<MvAdapterException>(() => download.DownloadModelAsync(Model));
        Assert.Contains("hf:openai/clip-tiny@main does not exist on the hub", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_asks_for_a_token()
    {
        using var hub = new TestServer(_ => new TestResponse(401, []));
        using var download = new HubDownload(Settings(hub));
        var exception = await Assert.ThrowsAsync<MvAdapterException>(() => download.DownloadModelAsync(Model));
        Assert.Contains("HF_TOKEN", exception.Message, StringComparison.Ordinal);
        Assert.Single(hub.Requests);
    }

    [Fact]
    public async Task Offline_without_the_model_says_so()
    {
        using var hub = new TestServer(Hub());
        using var download = new HubDownload(Settings(hub) with { Offline = true });
        var exception = await Assert.ThrowsAsync<MvAdapterException>(() => download.DownloadModelAsync(Model));
        Assert.Contains("HF_HUB_OFFLINE", exception.Message, StringComparison.Ordinal);
        Assert.Empty(hub.Requests);
    }

    [Fact]
    public async Task The_token_stays_with_the_hub_when_it_redirects()
    {
        using var storage = new TestServer(request => TestServer.File(request, Content));
        using var hub = new TestServer(_ => new TestResponse(302, [], ("Location", $"{storage.Address}blob"), ("X-Linked-Etag", $"\"{Sha256}\""), ("X-Linked-Size", $"{Content.Length}")));
        using var download = new HubDownload(Settings(hub) with { Token = "secret" });
        await download.DownloadFileAsync(new Uri(hub.Address, "file"), temporary.File("file"));
        Assert.Equal("Bearer secret", Assert.Single(hub.Requests).Headers["Authorization"]);
        Assert.DoesNotContain("Authorization", Assert.Single(storage.Requests).Headers.Keys);
    }

    [Fact]
    public async Task A_dropped_connection_is_taken_up_where_it_stopped()
    {
        using var server = new TestServer(request => TestServer.File(request, Content, ("ETag", $"\"{Sha256}\"")) with { DropAfter = 50_000 });
        var last = await FetchAsync(server);
        AssertFetched();
        Assert.Equal([0, 50_000, 100_000, 150_000, 200_000, 250_000], server.Requests.Select(request => request.Start));
        Assert.Equal(new DownloadProgress("file", Content.Length, Content.Length), last);
    }

    [Fact]
    public async Task A_server_that_ignores_ranges_sends_the_whole_again()
    {
        var attempts = 0;
        using var server = new TestServer(_ => new TestResponse(200, Content) { DropAfter = ++attempts < 3 ? 50_000 : int.MaxValue });
        await FetchAsync(server);
        AssertFetched();
    }

    [Fact]
    public async Task A_part_left_by_an_earlier_run_is_continued_when_the_hash_can_tell()
    {
        File.WriteAllBytes(temporary.File("file.incomplete"), Content[..1000]);
        using var server = new TestServer(request => TestServer.File(request, Content, ("ETag", $"\"{Sha256}\"")));
        await FetchAsync(server);
        AssertFetched();
        Assert.Equal(1000, Assert.Single(server.Requests).Start);
    }

    [Theory]
    [InlineData(1000, false)]
    [InlineData(1000, true)]
    [InlineData(300_000, true)]
    [InlineData(400_000, true)]
    public async Task A_part_of_another_file_is_thrown_away(int length, bool withHash)
    {
        File.WriteAllBytes(temporary.File("file.incomplete"), new byte[length]);
        using var server = new TestServer(request => TestServer.File(request, Content, ("ETag", withHash ? $"\"{Sha256}\"" : "\"v1\"")));
        await FetchAsync(server);
        AssertFetched();
    }

    [Fact]
    public async Task A_whole_part_only_needs_its_hash()
    {
        File.WriteAllBytes(temporary.File("file.incomplete"), Content);
        using var server = new TestServer(request => TestServer.File(request, Content, ("ETag", $"\"{Sha256}\"")));
        await FetchAsync(server);
        AssertFetched();
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_file_that_changes_midway_is_fetched_anew()
    {
        var attempts = 0;
        using var server = new TestServer(request => ++attempts == 1
            ? TestServer.File(request, new byte[Content.Length], ("ETag", "\"old\"")) with { DropAfter = 1000 }
            : TestServer.File(request, Content, ("ETag", "\"new\"")));
        await FetchAsync(server);
        AssertFetched();
    }

    [Fact]
    public async Task A_wrong_hash_is_never_kept()
    {
        using var server = new TestServer(request => TestServer.File(request, new byte[1000], ("ETag", $"\"{Sha256}\"")));
        await AssertFailsAsync(server, Sha256);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_wrong_size_is_never_kept()
    {
        using var shorter = new TestServer(_ => new TestResponse(200, Content) { ClaimedLength = Content.Length + 1 });
        await AssertFailsAsync(shorter, "could not be fetched");
        using var announced = new TestServer(_ => new TestResponse(200, Content, ("X-Linked-Size", "7")));
        await AssertFailsAsync(announced, "announces 7 bytes");
        using var longer = new TestServer(_ => new TestResponse(200, Content, ("X-Linked-Size", "7")) { ClaimedLength = -1 });
        await AssertFailsAsync(longer, "more than the 7 bytes");
        using var silent = new TestServer(_ => new TestResponse(200, Content) { ClaimedLength = -1 });
        await AssertFailsAsync(silent, "does not say how large");
    }

    [Fact]
    public async Task Busy_servers_are_asked_again_but_not_for_ever()
    {
        var attempts = 0;
        using var busy = new TestServer(request => ++attempts < 3 ? new TestResponse(503, []) : TestServer.File(request, Content));
        await FetchAsync(busy);
        AssertFetched();
        File.Delete(temporary.File("file"));
        using var down = new TestServer(_ => new TestResponse(500, []));
        await AssertFailsAsync(down, "the server answers 500");
        Assert.Equal(3, down.Requests.Count);
    }

    [Fact]
    public async Task A_silent_server_is_asked_again()
    {
        using var answer = new ManualResetEventSlim();
        var attempts = 0;
        using var server = new TestServer(request =>
        {
            if (Interlocked.Increment(ref attempts) == 1) answer.Wait(TimeSpan.FromSeconds(10));
            return TestServer.File(request, Content);
        });
        using var download = new HubDownload(Settings(server) with { SilenceLimit = TimeSpan.FromMilliseconds(500) });
        await download.DownloadFileAsync(new Uri(server.Address, "file"), temporary.File("file"));
        answer.Set();
        AssertFetched();
        Assert.Equal(2, attempts);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_named()
    {
        Uri address;
        using (var server = new TestServer(_ => new TestResponse(404, []))) address = server.Address;
        using var download = new HubDownload(new HubSettings { CacheFolder = temporary.Path, MaxAttempts = 2, FirstPause = TimeSpan.Zero });
        var exception = await Assert.ThrowsAsync<MvAdapterException>(() => download.DownloadFileAsync(address, temporary.File("file")));
        Assert.StartsWith($"{address} could not be fetched", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_without_end_are_refused()
    {
        using var server = new TestServer(request => new TestResponse(302, [], ("Location", request.Path)));
        await AssertFailsAsync(server, "redirects without end");
    }

    [Fact]
    public async Task Two_downloads_at_once_fetch_the_file_once()
    {
        using var server = new TestServer(request => TestServer.File(request, Content));
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => FetchAsync(server)));
        AssertFetched();
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_cancelled_download_leaves_no_whole_file()
    {
        using var server = new TestServer(request => TestServer.File(request, Content));
        using var cancellation = new CancellationTokenSource();
        using var download = new HubDownload(Settings(server));
        var progress = new Reporter(_ => cancellation.Cancel());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => download.DownloadFileAsync(
            new Uri(server.Address, "file"), temporary.File("file"), progress: progress, cancellation: cancellation.Token));
        Assert.False(File.Exists(temporary.File("file")));
    }

    [Theory]
    [InlineData("hf:openai/clip", "openai/clip", "main")]
    [InlineData("hf:openai/clip-vit-base-patch16@refs/pr/1", "openai/clip-vit-base-patch16", "refs/pr/1")]
    public void References_are_read(string text, string repository, string revision)
    {
        Assert.True(HubReference.IsReference(text));
        Assert.Equal(new HubReference(repository, revision), HubReference.Parse(text));
    }

    [Theory]
    [InlineData("hf:clip")]
    [InlineData("hf:../clip")]
    [InlineData("hf:a/..")]
    [InlineData("hf:a/b/c")]
    [InlineData("hf:a/b@")]
    [InlineData("hf:a/b@../../c")]
    [InlineData("hf:a/b@/etc")]
    [InlineData("hf:a/b\n")]
    public void Other_references_are_refused(string text) => Assert.Throws<UsageException>(() => HubReference.Parse(text));

    [Fact]
    public void Settings_come_from_the_variables_of_Hugging_Faces_tools()
    {
        Dictionary<string, string?> variables = new()
        {
            ["HF_ENDPOINT"] = "https://mirror.example",
            ["HF_HOME"] = "/models",
            ["HF_HUB_CACHE"] = null,
            ["HF_TOKEN"] = "secret\n",
            ["HF_HUB_OFFLINE"] = "1",
        };
        var before = variables.Keys.ToDictionary(name => name, Environment.GetEnvironmentVariable);
        try
        {
            foreach (var (name, value) in variables) Environment.SetEnvironmentVariable(name, value);
            var settings = HubSettings.FromEnvironment();
            Assert.Equal(new Uri("https://mirror.example"), settings.Endpoint);
            Assert.Equal(Path.Combine("/models", "hub"), settings.CacheFolder);
            Assert.Equal("secret", settings.Token);
            Assert.True(settings.Offline);
            Environment.SetEnvironmentVariable("HF_ENDPOINT", "mirror");
            Assert.Throws<UsageException>(HubSettings.FromEnvironment);
        }
        finally
        {
            foreach (var (name, value) in before) Environment.SetEnvironmentVariable(name, value);
        }
    }

    private static Func<TestRequest, TestResponse> Hub(params string[] without) => request =>
    {
        var name = request.Path[(request.Path.LastIndexOf('/') + 1)..];
        return without.Contains(name) || name.StartsWith("open_clip", StringComparison.Ordinal) || name.EndsWith(".index.json", StringComparison.Ordinal) ? new TestResponse(404, []) : Serve(request, name);
    };

    private static TestResponse Serve(TestRequest request, string name) => TestServer.File(request, name switch
    {
        _ when name.EndsWith(".index.json", StringComparison.Ordinal) => """{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}}"""u8.ToArray(),
        _ when name.EndsWith(".safetensors", StringComparison.Ordinal) || name.EndsWith(".bin", StringComparison.Ordinal) => Content,
        _ => Encoding.UTF8.GetBytes("{}"),
    }, ("X-Repo-Commit", Commit));

    private HubSettings Settings(TestServer server) => new()
    {
        Endpoint = server.Address,
        CacheFolder = temporary.Path,
        MaxAttempts = 3,
        FirstPause = TimeSpan.FromMilliseconds(1),
        SilenceLimit = TimeSpan.FromSeconds(20),
    };

    private async Task<DownloadProgress> FetchAsync(TestServer server)
    {
        using var download = new HubDownload(Settings(server));
        DownloadProgress last = default;
        await download.DownloadFileAsync(new Uri(server.Address, "file"), temporary.File("file"), progress: new Reporter(value => last = value));
        return last;
    }

    private void AssertFetched()
    {
        Assert.Equal(Content, File.ReadAllBytes(temporary.File("file")));
        Assert.Single(Directory.GetFileSystemEntries(temporary.Path));
    }

    private async Task AssertFailsAsync(TestServer server, string reason)
    {
        var exception = await Assert.ThrowsAsync<MvAdapterException>(() => FetchAsync(server));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(temporary.File("file")));
    }

    // Unlike Progress<T> it reports at once and in order.
    private sealed class Reporter(Action<DownloadProgress> report) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => report(value);
    }
}
