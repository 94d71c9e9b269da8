using Microsoft.Extensions.Caching.Memory;
using MvAdapter.Files;
using MvAdapter.Search;
using MvAdapter.Video;

namespace MvAdapter.Server;

/// <summary>Pictures of clips, made when they are asked for and kept in memory up to a bound.</summary>
internal sealed class Thumbnails(IndexedFile files, ScratchFolder temporary, ServerOptions options) : IDisposable
{
    private const long CacheBytes = 64 << 20;
    private readonly ClipExporter exporter = new();
    private readonly SemaphoreSlim makers = new(Environment.ProcessorCount);
    private readonly MemoryCache cache = new(new MemoryCacheOptions { SizeLimit = CacheBytes });

    /// <summary>A clip's picture as a JPEG.</summary>
    /// <exception cref="MvAdapterException">The file is gone, another one now, or cannot be decoded.</exception>
    public async Task<byte[]> Get(ClipCollection collection, IndexedClip clip, CancellationToken cancellation)
    {
        var key = (collection.Id, clip.Id);
        if (cache.TryGetValue(key, out byte[]? picture)) return picture!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(options.DecodeTimeout);
        await makers.WaitAsync(limit.Token).ConfigureAwait(false);
        try
        {
            if (cache.TryGetValue(key, out picture)) return picture!;
            picture = await Waiting.Run(() => Make(collection, clip, limit.Token)).ConfigureAwait(false);
            return cache.Set(key, picture, new MemoryCacheEntryOptions { Size = picture.Length });
        }
        finally
        {
            makers.Release();
        }
    }

    public void Dispose()
    {
        makers.Dispose();
        cache.Dispose();
    }

    private byte[] Make(ClipCollection collection, IndexedClip clip, CancellationToken cancellation)
    {
        files.Open(collection, clip).Dispose();   // it is what was indexed
        var output = temporary.NextFile(".jpg");
        try
        {
            exporter.Thumbnail(clip.Open(), output, cancellation);
            return File.ReadAllBytes(output);
        }
        finally
        {
            File.Delete(output);
        }
    }
}
