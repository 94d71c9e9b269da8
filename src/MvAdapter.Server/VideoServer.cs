using System.Net;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.OpenApi;
using MvAdapter.Files;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>
/// Answers searches in an index over HTTP, and shows a page to search with. The thread that calls <see cref="Run"/> is
/// the only one that calls the models.
/// </summary>
public sealed class VideoServer : IDisposable
{
    private static readonly TimeSpan ShutdownTime = TimeSpan.FromMilliseconds(400);
    private readonly ClipStore store;
    private readonly ServerOptions options;
    private readonly CollectionModels models;
    private readonly ServerMetrics metrics = new();
    private readonly ClipSearch search;
    private readonly ScratchFolder temporary = new("mvadapter-serve");
    private readonly Uploads uploads;
    private readonly IndexedFile files;
    private readonly Thumbnails thumbnails;
    private readonly TeachingJobs? jobs;
    private readonly WebApplication app;
    private volatile bool ready;

    /// <summary>Prepares a server; it does not listen yet.</summary>
    /// <param name="store">The index, which the caller closes after the server.</param>
    /// <param name="options">Where and for whom.</param>
    /// <param name="onThisMachine">Says where a collection's model runs and how; null for the processor in float32.</param>
    /// <exception cref="UsageException">The options are not safe.</exception>
    public VideoServer(ClipStore store, ServerOptions options, Func<ModelSource, ModelSource>? onThisMachine = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        var keys = options.ApiKeys is { } path ? new ApiKeys(path) : null;
        (this.store, this.options) = (store, options);
        models = new CollectionModels(store, onThisMachine ?? (static source => source));
        search = new ClipSearch(store, models, options, metrics);
        uploads = new Uploads(temporary, options);
        files = new IndexedFile(store);
        thumbnails = new Thumbnails(files, temporary, options);
        jobs = options.Teaching is { } teaching ? new TeachingJobs(teaching) : null;
        app = Build(keys);
    }

    /// <summary>Where it listens, once it does.</summary>
    public string Url => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>What was sent and is still looked at, and pictures that are being made.</summary>
    internal IEnumerable<string> TemporaryFiles => temporary.Files();

    /// <summary>Listens, loads the models on this thread, and encodes queries on it until it is cancelled.</summary>
    /// <param name="onReady">Told when searches are answered.</param>
    /// <param name="cancellation">Ends it: what has been asked may be answered for a moment more.</param>
    /// <exception cref="MvAdapterException">It cannot listen there, or no model of the index can be loaded.</exception>
    public void Run(Action onReady, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(onReady);
        Listen(cancellation);
        // The queues go on while the last requests are answered.
        using var working = new CancellationTokenSource();
        using var stopping = cancellation.Register(() => _ = Task.Run(async () =>
        {
            await app.StopAsync().ConfigureAwait(false);
            await working.CancelAsync().ConfigureAwait(false);
        }));
        var finder = new Thread(() => Ended(() => search.RunIndex(working.Token))) { Name = "index" };
        finder.Start();
        try
        {
            models.Refresh(cancellation);
            var states = models.States;
            if (states.Count > 0 && states.All(state => state.Problem is not null)) throw new MvAdapterException(states[0].Problem!);
            ready = true;
            onReady();
            Ended(() => search.RunModel(working.Token));
        }
        finally
        {
            working.Cancel();
            finder.Join();
            models.Dispose();
        }
        cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Closes the socket and deletes what was kept for requests.</summary>
    public void Dispose()
    {
        ((IDisposable)app).Dispose();
        jobs?.Dispose();
        thumbnails.Dispose();
        uploads.Dispose();
        temporary.Dispose();
        metrics.Dispose();
    }

    private static void Ended(Action work)
    {
        try
        {
            work();
        }
        catch (OperationCanceledException)
        {
            // As it was asked to.
        }
    }

    private void Listen(CancellationToken cancellation)
    {
        try
        {
            app.StartAsync(cancellation).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            var place = new IPEndPoint(options.Address, options.Port);
            throw new MvAdapterException($"cannot listen on {place}: {TextForMessage.Quote(e.GetBaseException().Message)}; "
                + "choose another --port, or --port 0 for any that is free", e);
        }
    }

    private WebApplication Build(ApiKeys? keys)
    {
        // Empty: nothing is read from the current folder or the environment.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Limit);
        builder.Services.AddRoutingCore().AddOpenApi(document => document.AddDocumentTransformer(Describe));
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>().Configure<HostOptions>(host => host.ShutdownTimeout = ShutdownTime);
        builder.Services.AddHostFiltering(filter =>
            (filter.AllowedHosts, filter.IncludeFailureMessage) = (["localhost", "127.0.0.1", "[::1]"], false));
        builder.Services.Configure<RouteHandlerOptions>(route => route.ThrowOnBadRequest = true);   // so that Problems can say what is bad
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        builder.AddTelemetry(metrics);
        AddLog(builder.Logging);
        var built = builder.Build();
        built.UseMiddleware<RequestLog>(metrics);
        built.UseSecurityHeaders();
        built.UseMiddleware<Problems>(options);
        // Without keys a page of another site must not reach the API under a name of its own that leads here.
        if (keys is null) built.UseHostFiltering();
        built.UseRouting();
        built.Use(WriteGuard.Admit);
        var tickets = keys is null ? null : new MediaTickets();
        if (keys is not null) built.UseMiddleware<KeyGuard>(keys, tickets!);
        built.UseMiddleware<WriteGuard>();
        var collections = new Collections(store, models, options.Program);
        AddGauges(collections);
        var addresses = new ClipAddresses(tickets);
        new SearchEndpoints(store, collections, search, uploads, addresses, options).Map(built);
        new TeachEndpoints(store, collections, search, addresses, options, jobs).Map(built);
        new ClipEndpoints(store, models, files, thumbnails).Map(built);
        new StatusEndpoints(store, collections, search, () => ready).Map(built);
        built.MapMetrics();
        PageEndpoints.Map(built);
        built.MapOpenApi();
        return built;
    }

    private void Limit(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        kestrel.Limits.MaxConcurrentConnections = 1024;
        kestrel.Limits.MaxRequestBodySize = 0;   // uploads raise it for themselves
        kestrel.Limits.MaxRequestHeadersTotalSize = 16 << 10;
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(5));
    }

    private void AddLog(ILoggingBuilder logging)
    {
        logging.AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);   // what it fails with is thrown too
        if (options.JsonLog) logging.AddJsonConsole(console => { console.UseUtcTimestamp = true; console.TimestampFormat = "o"; });
        else logging.AddSimpleConsole(console => { console.SingleLine = true; console.TimestampFormat = "HH:mm:ss "; });
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console =>
            console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    private void AddGauges(Collections collections)
    {
        metrics.Gauge("mvadapter.ready", "1 once searches are answered.", () => ready ? 1 : 0);
        metrics.Gauge("mvadapter.index_clips", "Clips of a collection.", () => collections.Count().Select(collection => (collection.Id, (double)collection.Clips)));
        metrics.Gauge("mvadapter.index_videos", "Videos of a collection.", () => collections.Count().Select(collection => (collection.Id, (double)collection.Videos)));
        metrics.Gauge("process.resident_memory", "Resident memory.", () => Environment.WorkingSet, "By");
    }

    private static Task Describe(OpenApiDocument document, Microsoft.AspNetCore.OpenApi.OpenApiDocumentTransformerContext context,
        CancellationToken cancellation)
    {
        document.Info = new OpenApiInfo { Title = "MvAdapter", Version = "v1",
            Description = "Search in videos: words, a video or a clip in, the moments that fit best out." };
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
        document.Components.SecuritySchemes["key"] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer",
            Description = "A key, where the server uses keys" };
        document.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("key", document)] = [] }];
        return Task.CompletedTask;
    }

    // The command line looks after Ctrl-C.
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
