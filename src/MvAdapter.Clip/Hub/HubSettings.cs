namespace MvAdapter.Clip;

/// <summary>Where models come from and where they are kept; the variables are those of Hugging Face's own tools.</summary>
public sealed record HubSettings
{
    /// <summary>The hub's address (HF_ENDPOINT).</summary>
    public Uri Endpoint { get; init; } = new("https://huggingface.co");

    /// <summary>The folder of downloaded models (HF_HUB_CACHE, or hub/ in HF_HOME), shared with Hugging Face's own tools.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>The access token (HF_TOKEN); sent to the endpoint's own host alone.</summary>
    public string? Token { get; init; }

    /// <summary>Use what is in the cache and never the network (HF_HUB_OFFLINE).</summary>
    public bool Offline { get; init; }

    /// <summary>How many attempts in a row may fail without bringing the file any further.</summary>
    public int MaxAttempts { get; init; } = 5;

    /// <summary>The pause after the first failure; it doubles with each further one.</summary>
    public TimeSpan FirstPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a server may stay silent before the connection counts as dropped.</summary>
    public TimeSpan SilenceLimit { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The settings of the environment.</summary>
    /// <exception cref="UsageException">HF_ENDPOINT is no address.</exception>
    public static HubSettings FromEnvironment()
    {
        var settings = new HubSettings
        {
            CacheFolder = Variable("HF_HUB_CACHE") ?? Path.Combine(Home(), "hub"),
            Token = Variable("HF_TOKEN")?.Trim(),
            Offline = Variable("HF_HUB_OFFLINE") is "1" or "true" or "TRUE" or "True" or "yes" or "YES" or "on" or "ON",
        };
        if (Variable("HF_ENDPOINT") is not { } address) return settings;
        if (!Uri.TryCreate(address, UriKind.Absolute, out var endpoint) || endpoint.Scheme is not ("http" or "https"))
            throw new UsageException($"HF_ENDPOINT is {TextForMessage.Quote(address, 120)}, which is no http or https address");
        return settings with { Endpoint = endpoint };
    }

    private static string Home() => Variable("HF_HOME") ?? Path.Combine(
        Variable("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "huggingface");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
