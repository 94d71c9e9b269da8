using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using MvAdapter.Files;
using MvAdapter.Video;

namespace MvAdapter.Server;

/// <summary>Videos that users send to search by: written to a file that is gone afterwards, decoded in a child process.</summary>
internal sealed class Uploads(ScratchFolder temporary, ServerOptions options) : IDisposable
{
    /// <summary>8K has fewer. What a frame may cost is multiplied by the decoder's own copies.</summary>
    private const int MaxPixels = 1 << 25;

    /// <summary>So many are received at once for each that is decoded: a client that sends slowly, or half of it, keeps no decoder from others.</summary>
    private const int ReceivedForADecoder = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);   // of a video whose turn has not come
    private readonly SemaphoreSlim receiving = new(ReceivedForADecoder * options.MaxUploads);
    private readonly SemaphoreSlim decoding = new(options.MaxUploads);
    private readonly VideoDecoder decoder = new(new VideoDecoderOptions { MaxPixels = MaxPixels, Patience = options.DecodeTimeout });

    /// <summary>Receives a video and gives its frames to <paramref name="use"/>; the next one's turn comes at the end of that.</summary>
    /// <exception cref="OverloadException">Too many are being received or decoded.</exception>
    /// <exception cref="VideoException">It cannot be decoded, or not in time.</exception>
    public async Task<T> Read<T>(HttpContext context, VideoTextEncoder encoder, Func<VideoFrames, Task<T>> use)
    {
        using var received = await Turn(receiving, "received", context.RequestAborted).ConfigureAwait(false);
        var path = temporary.NextFile();
        try
        {
            await Receive(context, path).ConfigureAwait(false);
            using var decoded = await Turn(decoding, "decoded", context.RequestAborted).ConfigureAwait(false);
            return await use(await Decode(path, encoder, context.RequestAborted).ConfigureAwait(false)).ConfigureAwait(false);
        }
        finally
        {
            File.Delete(path);
        }
    }

    public void Dispose()
    {
        receiving.Dispose();
        decoding.Dispose();
    }

    private static async Task<Place> Turn(SemaphoreSlim places, string what, CancellationToken cancellation) =>
        await places.WaitAsync(Patience, cancellation).ConfigureAwait(false) ? new Place(places)
            : throw new OverloadException($"too many videos are being {what} already: try again in a moment");

    private async Task Receive(HttpContext context, string path)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = options.MaxUploadBytes;
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous);
        await using var closing = file.ConfigureAwait(false);
        await context.Request.Body.CopyToAsync(file, context.RequestAborted).ConfigureAwait(false);
        if (file.Length == 0) throw new UsageException("the request has no body: send the video's bytes");
    }

    private async Task<VideoFrames> Decode(string path, VideoTextEncoder encoder, CancellationToken cancellation)
    {
        const string name = "the video that was sent";
        var reader = new VideoReader(encoder.Reader.Processor, encoder.Sampling, decoder);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(options.DecodeTimeout);
        try
        {
            var frames = await Waiting.Run(() => reader.Read(new VideoClip(path), limit.Token)).ConfigureAwait(false);
            return frames.Error is { } error ? throw new VideoException(name, WithoutPath(error.Message, path)) : frames;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new VideoException(name, $"takes longer than {options.DecodeTimeout.TotalSeconds:0} s to decode");
        }
    }

    // Where the file lay is nobody's business.
    private static string WithoutPath(string message, string path) => message
        .Replace($"file:{path}: ", "", StringComparison.Ordinal)
        .Replace($"{path}: ", "", StringComparison.Ordinal)
        .Replace(path, "it", StringComparison.Ordinal);

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
