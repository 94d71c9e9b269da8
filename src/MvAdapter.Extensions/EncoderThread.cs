using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Extensions;

/// <summary>
/// The one thread that owns a model, behind calls that may come from any number of others. It begins to load the model at once; calls wait for
/// that, and then go through the model together with whatever else waits.
/// </summary>
public sealed partial class EncoderThread : IDisposable
{
    private const int TextsPerPiece = 64;
    private readonly MvAdapterOptions options;
    private readonly ILogger logger;
    private readonly BatchQueue<Request, float[][]> queue;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource<VideoTextEncoder> loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread thread;

    /// <summary>Starts the thread.</summary>
    /// <param name="options">What is loaded, and how much may wait.</param>
    /// <param name="logger">Told of the model and of failures.</param>
    /// <exception cref="UsageException">The options are wrong; the line says how.</exception>
    public EncoderThread(MvAdapterOptions options, ILogger<EncoderThread>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Faults() is { Count: > 0 } faults) throw new UsageException(string.Join("; ", faults));
        (this.options, this.logger) = (options, logger ?? NullLogger<EncoderThread>.Instance);
        queue = new BatchQueue<Request, float[][]>(options.MaxWaiting, options.BatchSize) { OnBatch = size => LogBatch(this.logger, size) };
        thread = new Thread(Run) { IsBackground = true, Name = "MvAdapter model" };
        thread.Start();
    }

    /// <summary>The model when it is loaded; its sampling, width and tokenizer may be read from any thread, its encoding methods only be called here.</summary>
    public Task<VideoTextEncoder> Loaded => loaded.Task;

    /// <summary>Requests that wait for the model.</summary>
    public int Waiting => queue.Length;

    /// <summary>What is loaded, as metadata names it.</summary>
    public string ModelName => options.Adapter is { } adapter ? $"{options.Clip} + {Path.GetFileNameWithoutExtension(adapter)}" : options.Clip;

    /// <summary>Encodes texts in their order: each L2-normalised, E numbers.</summary>
    /// <exception cref="OverloadException">Too many requests wait.</exception>
    /// <exception cref="MvAdapterException">The model cannot be loaded.</exception>
    public async Task<float[][]> EncodeTextsAsync(IReadOnlyList<string> texts, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(texts);
        await Loaded.WaitAsync(cancellation).ConfigureAwait(false);
        var embeddings = new List<float[]>(texts.Count);
        // A long list goes in pieces, between which others have their turn.
        foreach (var piece in texts.Chunk(TextsPerPiece)) embeddings.AddRange(await queue.Ask(new Request(piece, null), cancellation).ConfigureAwait(false));
        return [.. embeddings];
    }

    /// <summary>Encodes videos in their order. They are decoded ahead, on other threads.</summary>
    /// <exception cref="VideoException">A video cannot be decoded; the line names it.</exception>
    /// <exception cref="OverloadException">Too many requests wait.</exception>
    /// <exception cref="MvAdapterException">The model cannot be loaded.</exception>
    public async Task<float[][]> EncodeVideosAsync(IReadOnlyList<VideoClip> videos, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(videos);
        var encoder = await Loaded.WaitAsync(cancellation).ConfigureAwait(false);
        // Reading waits for child processes: not on a thread of the pool.
        return await Task.Factory.StartNew(() =>
        {
            var (embeddings, asked) = (new List<float[]>(videos.Count), new Queue<Task<float[][]>>());
            foreach (var frames in encoder.Reader.Read(videos, cancellation))
            {
                if (frames.Error is { } error) throw error;
                asked.Enqueue(queue.Ask(new Request(null, frames), cancellation));
                // As many as fill a pass through the model; more would hold decoded pictures in memory.
                if (asked.Count >= options.BatchSize || asked.Peek().IsCompleted) embeddings.AddRange(asked.Dequeue().GetAwaiter().GetResult());
            }
            foreach (var task in asked) embeddings.AddRange(task.GetAwaiter().GetResult());
            return embeddings.ToArray();
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
    }

    /// <summary>Ends the thread after the batch that it works on, and frees the model; whoever still waits gets an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (stop.IsCancellationRequested) return;
        stop.Cancel();
        thread.Join();
        stop.Dispose();
    }

    private void Run()
    {
        VideoTextEncoder? encoder = null;
        try
        {
            encoder = Load();
            if (encoder is null) return;
            loaded.SetResult(encoder);
            queue.Run(request => request.Texts is not null, (texts, jobs) => Work(encoder, texts, jobs), stop.Token);
        }
        catch (OperationCanceledException)
        {
            // It is being disposed.
        }
        finally
        {
            queue.Close();
            loaded.TrySetException(new ObjectDisposedException(nameof(EncoderThread)));
            _ = loaded.Task.Exception;   // nobody need have asked
            encoder?.Dispose();
        }
    }

    private VideoTextEncoder? Load()
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        try
        {
            if (options.Threads is { } threads) TorchRuntime.Threads = threads;
            var encoder = VideoTextEncoder.Load(options.ToSource(), cancellation: stop.Token);
            LogLoaded(logger, ModelName, options.Device, clock.Elapsed.TotalSeconds);
            return encoder;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(logger, ModelName, e.Message);
            loaded.SetException(e);
            return null;
        }
    }

    private static void Work(VideoTextEncoder encoder, bool texts, IReadOnlyList<BatchQueue<Request, float[][]>.Job> jobs)
    {
        if (texts)
        {
            var rows = encoder.EncodeTexts([.. jobs.SelectMany(job => job.Input.Texts!)]).Chunk(encoder.Width).GetEnumerator();
            foreach (var job in jobs) job.Complete([.. job.Input.Texts!.Select(_ => rows.MoveNext() ? (float[])rows.Current : throw new InvalidOperationException("fewer rows than texts"))]);
            return;
        }
        foreach (var (job, encoded) in jobs.Zip(encoder.EncodeVideos(jobs.Select(job => job.Input.Video!)))) job.Complete([encoded.Embedding]);
        TorchRuntime.EmptyCache();   // encoding words wants a hundredth of what a video took
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Model} is loaded on {Device} after {Seconds:0.0} s")]
    private static partial void LogLoaded(ILogger logger, string model, string device, double seconds);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Model} cannot be loaded: {Reason}")]
    private static partial void LogFailed(ILogger logger, string model, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Requests} requests go through the model together")]
    private static partial void LogBatch(ILogger logger, int requests);

    /// <summary>Some texts, or a video that was read.</summary>
    private sealed record Request(string[]? Texts, VideoFrames? Video);
}
