using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MvAdapter.Extensions;
using MvAdapter.Video;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds MvAdapter to an application's services.</summary>
public static class MvAdapterServiceCollectionExtensions
{
    /// <summary>
    /// Adds one model: an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> for texts (<see cref="string"/>) and one for videos
    /// (<see cref="VideoClip"/>), and the <see cref="EncoderThread"/> behind both, which a host begins to load when it starts. Options are checked then.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Names at least the CLIP.</param>
    public static IServiceCollection AddMvAdapter(this IServiceCollection services, Action<MvAdapterOptions> configure)
    {
        Configure(services, Options.Options.DefaultName, configure);
        services.TryAddSingleton(provider => Start(provider, Options.Options.DefaultName));
        services.TryAddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(provider => new TextEmbeddingGenerator(provider.GetRequiredService<EncoderThread>()));
        services.TryAddSingleton<IEmbeddingGenerator<VideoClip, Embedding<float>>>(provider => new VideoEmbeddingGenerator(provider.GetRequiredService<EncoderThread>()));
        services.AddSingleton<IHostedService>(provider => new Warmup(() => provider.GetRequiredService<EncoderThread>()));
        return services;
    }

    /// <summary>The same for one of several models, such as an adapter a task: its services are asked for by a key.</summary>
    /// <param name="services">The application's services.</param>
    /// <param name="key">The key.</param>
    /// <param name="configure">Names at least the CLIP.</param>
    public static IServiceCollection AddKeyedMvAdapter(this IServiceCollection services, string key, Action<MvAdapterOptions> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        Configure(services, key, configure);
        services.TryAddKeyedSingleton(key, (provider, _) => Start(provider, key));
        services.TryAddKeyedSingleton<IEmbeddingGenerator<string, Embedding<float>>>(key, (provider, _) => new TextEmbeddingGenerator(provider.GetRequiredKeyedService<EncoderThread>(key)));
        services.TryAddKeyedSingleton<IEmbeddingGenerator<VideoClip, Embedding<float>>>(key, (provider, _) => new VideoEmbeddingGenerator(provider.GetRequiredKeyedService<EncoderThread>(key)));
        services.AddSingleton<IHostedService>(provider => new Warmup(() => provider.GetRequiredKeyedService<EncoderThread>(key)));
        return services;
    }

    /// <summary>Adds the check whether the model is loaded.</summary>
    /// <param name="builder">The application's health checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="key">The key of one of several models; null for the only one.</param>
    /// <param name="tags">The check's tags, such as <c>ready</c>.</param>
    public static IHealthChecksBuilder AddMvAdapter(this IHealthChecksBuilder builder, string name = "mvadapter", string? key = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Add(new Diagnostics.HealthChecks.HealthCheckRegistration(name,
            provider => new MvAdapterHealthCheck(key is null ? provider.GetRequiredService<EncoderThread>() : provider.GetRequiredKeyedService<EncoderThread>(key)), null, tags));
    }

    private static void Configure(IServiceCollection services, string name, Action<MvAdapterOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<MvAdapterOptions>(name).Configure(configure).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<MvAdapterOptions>, Validation>());
    }

    private static EncoderThread Start(IServiceProvider provider, string name) =>
        new(provider.GetRequiredService<IOptionsMonitor<MvAdapterOptions>>().Get(name), provider.GetService<ILogger<EncoderThread>>());

    private sealed class Validation : IValidateOptions<MvAdapterOptions>
    {
        public ValidateOptionsResult Validate(string? name, MvAdapterOptions options) =>
            options.Faults() is { Count: > 0 } faults ? ValidateOptionsResult.Fail(faults) : ValidateOptionsResult.Success;
    }

    // The first request would otherwise wait for the model.
    private sealed class Warmup(Func<EncoderThread> start) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            _ = start();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
