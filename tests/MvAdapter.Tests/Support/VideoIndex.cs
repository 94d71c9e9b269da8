using System.Net;
using MvAdapter.Search;
using MvAdapter.Server;

namespace MvAdapter.Tests.Support;

/// <summary>An index of some short videos under two models of one CLIP: as it is, and with an adapter.</summary>
public sealed class VideoIndex : IDisposable
{
    private static readonly string[] Sources = ["testsrc", "smptebars", "mandelbrot"];
    private readonly TemporaryFolder folder = new();
    private readonly TinyClip clip = new();

    public VideoIndex()
    {
        Directory.CreateDirectory(folder.File("videos"));
        foreach (var source in Sources) Ffmpeg.Make(Video(source), $"{source}=s=64x48:r=10", "-t", "4", "-pix_fmt", "yuv420p", "-g", "10");
        Ffmpeg.Make(Video("<img src=x onerror=alert(1)> & 'co'"), "color=red:s=64x48:r=10", "-t", "2", "-pix_fmt", "yuv420p");
        TinyClip.WriteAdapter(folder.File("red.safetensors"), clip.Config);
        Fill(ZeroShot);
        Fill(Adapted);
    }

    public ModelSource ZeroShot => new(clip.Checkpoint) { Frames = 3 };

    public ModelSource Adapted => new(clip.Checkpoint) { Adapter = folder.File("red.safetensors"), Frames = 3 };

    /// <summary>The index.</summary>
    public string Path => folder.File("videos.db");

    /// <summary>A video of it, by the name of its source.</summary>
    public string Video(string name) => folder.File($"videos/{name}.mp4");

    /// <summary>A file beside it.</summary>
    public string File(string name) => folder.File(name);

    /// <summary>Adds what is new in the folder of videos.</summary>
    public void Fill(ModelSource source)
    {
        using var store = ClipStore.Open(Path, StoreAccess.Create);
        using var encoder = VideoTextEncoder.Load(source);
        var collection = store.AddCollection(CollectionModel.Of(source, encoder, new ClipSplitting { Seconds = 2 }));
        new Indexer(store, collection, encoder).Index(VideoFiles.Find([folder.File("videos")]), outcome => Assert.Null(outcome.Problem));
    }

    /// <summary>Starts a server of it.</summary>
    internal RunningServer Serve(ServerOptions? options = null) => new(Path, options);

    public void Dispose()
    {
        clip.Dispose();
        folder.Dispose();
    }
}

/// <summary>A server on a port of its own, until it is disposed.</summary>
internal sealed class RunningServer : IDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly Thread thread;
    private readonly ClipStore store;
    private readonly VideoServer server;

    public RunningServer(string index, ServerOptions? options = null)
    {
        store = ClipStore.Open(index, options is { Writable: true } ? StoreAccess.Write : StoreAccess.Read);
        server = new VideoServer(store, (options ?? new ServerOptions()) with { Port = 0, Address = IPAddress.Loopback });
        var ready = new TaskCompletionSource();
        thread = new Thread(() =>
        {
            try
            {
                server.Run(ready.SetResult, stop.Token);
            }
            catch (OperationCanceledException)
            {
                // As it was asked to.
            }
            catch (Exception e)
            {
                ready.TrySetException(e);
            }
        });
        thread.Start();
        ready.Task.GetAwaiter().GetResult();
        Client = new HttpClient { BaseAddress = new Uri(server.Url), Timeout = TimeSpan.FromMinutes(1) };
    }

    /// <summary>A client of it.</summary>
    public HttpClient Client { get; }

    /// <summary>Where it is.</summary>
    public string Url => server.Url;

    /// <summary>Files that it has received and still keeps.</summary>
    public string[] Received() => [.. server.TemporaryFiles];

    /// <summary>Ends it and waits for that.</summary>
    public void Stop()
    {
        stop.Cancel();
        Assert.True(thread.Join(TimeSpan.FromSeconds(10)));
    }

    public void Dispose()
    {
        Client.Dispose();
        Stop();
        server.Dispose();
        store.Dispose();
        stop.Dispose();
    }
}
