using System.Net;

namespace MvAdapter.Server;

/// <summary>Where a server listens, whom it answers, and how much it takes on.</summary>
public sealed record ServerOptions
{
    /// <summary>The address that it listens on. Other machines reach only one that is not the loopback.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>The port; 0 for any that is free.</summary>
    public int Port { get; init; } = 7860;

    /// <summary>The file of the keys' hashes; null to answer whoever asks, which is refused where other machines can ask.</summary>
    public string? ApiKeys { get; init; }

    /// <summary>The largest video that may be sent, in bytes.</summary>
    public long MaxUploadBytes { get; init; } = 256L << 20;

    /// <summary>Videos that are decoded at once; one more waits some seconds, and is then told to come back later.</summary>
    public int MaxUploads { get; init; } = Math.Max(2, Environment.ProcessorCount);

    /// <summary>Queries that wait for the model; one more is told to come back later.</summary>
    public int MaxWaiting { get; init; } = 512;

    /// <summary>Queries that go through the model at once.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>How long a query may take, waiting included.</summary>
    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long decoding a video that was sent, or a picture of a clip, may take.</summary>
    public TimeSpan DecodeTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The program that fills an index, as answers and the page name it.</summary>
    public string Program { get; init; } = "mvadapter";

    /// <summary>Whether captions and marks may be written into the index; it must be opened for writing.</summary>
    public bool Writable { get; init; }

    /// <summary>How adapters are trained; null for not at all.</summary>
    public TeachingOptions? Teaching { get; init; }

    /// <summary>Whether the log is a line of JSON an event.</summary>
    public bool JsonLog { get; init; }

    /// <summary>Refuses what cannot be served safely.</summary>
    /// <exception cref="UsageException">Other machines could ask without a key, or a number is impossible.</exception>
    internal void Check()
    {
        if (Port is < 0 or > 65535)
            throw new UsageException($"there is no port {Port}; give one from 1 to 65535, or 0 for any that is free");
        if (MaxUploadBytes < 1) throw new UsageException("the largest upload must be at least a byte");
        if (ApiKeys is null && !IPAddress.IsLoopback(Address))
            throw new UsageException(
                $"other machines can reach {Address}: make a key by \"keys FILE\" and give --api-keys FILE, or stay on 127.0.0.1");
    }
}
