using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MvAdapter.Extensions;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Extensions;

/// <summary>MvAdapter among an application's services.</summary>
public sealed class AddMvAdapterTests(TinyClip clip) : IClassFixture<TinyClip>
{
    [Fact]
    public async Task A_host_loads_the_model_and_its_services_encode()
    {
        var logged = new Logged();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddLogging(logging => logging.AddProvider(logged));
        builder.Services.AddMvAdapter(options => options.Clip = clip.Checkpoint);
        builder.Services.AddHealthChecks().AddMvAdapter(tags: ["ready"]);
        using (var host = builder.Build())
        {
            await host.StartAsync(TestContext.Current.CancellationToken);
            await host.Services.GetRequiredService<EncoderThread>().Loaded;
            var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
            Assert.Equal(HealthStatus.Healthy, report.Status);
            Assert.Equal(clip.Checkpoint, report.Entries["mvadapter"].Data["model"]);
            var texts = host.Services.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>();
            var videos = host.Services.GetRequiredService<IEmbeddingGenerator<VideoClip, Embedding<float>>>();
            var (text, video) = (await texts.GenerateVectorAsync("a dog"), await videos.GenerateVectorAsync(new VideoClip(clip.Video)));
            Assert.Equal(clip.Config.EmbeddingWidth, text.Length);
            Assert.Equal(text.Length, video.Length);
            await host.StopAsync(TestContext.Current.CancellationToken);
        }
        Assert.Contains(logged.Lines, line => line.StartsWith("Information", StringComparison.Ordinal) && line.Contains("is loaded on cpu", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Wrong_options_stop_the_host_before_it_starts()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddMvAdapter(options => (options.Device, options.BatchSize) = ("gpu", 0));
        using var host = builder.Build();
        var wrong = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync(TestContext.Current.CancellationToken));
        Assert.Collection(wrong.Failures.Order(StringComparer.Ordinal),
            fault => Assert.StartsWith("BatchSize", fault, StringComparison.Ordinal),
            fault => Assert.StartsWith("Clip is missing", fault, StringComparison.Ordinal),
            fault => Assert.StartsWith("Device", fault, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Several_models_have_keys_and_a_missing_one_is_unhealthy()
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddKeyedMvAdapter("good", options => options.Clip = clip.Checkpoint);
        services.AddKeyedMvAdapter("gone", options => options.Clip = "/nowhere.pt");
        services.AddHealthChecks().AddMvAdapter("good", "good").AddMvAdapter("gone", "gone");
        await using var provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("good");
        Assert.Single(await generator.GenerateAsync(["a dog"], cancellationToken: TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<MvAdapterException>(() => provider.GetRequiredKeyedService<EncoderThread>("gone").Loaded);
        var report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync(TestContext.Current.CancellationToken);
        Assert.Equal((HealthStatus.Healthy, HealthStatus.Unhealthy), (report.Entries["good"].Status, report.Entries["gone"].Status));
        Assert.Contains("/nowhere.pt", report.Entries["gone"].Description, StringComparison.Ordinal);
    }

    private sealed class Logged : ILoggerProvider, ILogger
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{logLevel} {formatter(state, exception)}");

        public void Dispose() { }
    }
}
