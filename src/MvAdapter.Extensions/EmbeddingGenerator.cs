using Microsoft.Extensions.AI;
using MvAdapter.Video;

namespace MvAdapter.Extensions;

/// <summary>
/// What both generators share. They may be called from any number of threads at once; disposing one does nothing, since the
/// <see cref="EncoderThread"/> is another's.
/// </summary>
/// <typeparam name="TInput">What is encoded.</typeparam>
public abstract class EmbeddingGenerator<TInput> : IEmbeddingGenerator<TInput, Embedding<float>>
{
    private protected EmbeddingGenerator(EncoderThread thread)
    {
        ArgumentNullException.ThrowIfNull(thread);
        Thread = thread;
    }

    private protected EncoderThread Thread { get; }

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The options ask for another number of dimensions than the model has.</exception>
    /// <exception cref="OverloadException">Too many requests wait.</exception>
    /// <exception cref="MvAdapterException">The model cannot be loaded, or an input not be read.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<TInput> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        TInput[] inputs = [.. values];
        var encoder = await Thread.Loaded.WaitAsync(cancellationToken).ConfigureAwait(false);
        if (options?.Dimensions is { } dimensions && dimensions != encoder.Width)
            throw new NotSupportedException($"embeddings of this model have {encoder.Width} dimensions, not {dimensions}");
        var embeddings = await EncodeAsync(inputs, cancellationToken).ConfigureAwait(false);
        var now = DateTimeOffset.UtcNow;
        var generated = new GeneratedEmbeddings<Embedding<float>>(embeddings.Select(vector => new Embedding<float>(vector) { CreatedAt = now, ModelId = Thread.ModelName }));
        if (Tokens(encoder, inputs) is { } tokens) generated.Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens };
        return generated;
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? new EmbeddingGeneratorMetadata("mvadapter", defaultModelId: Thread.ModelName, defaultModelDimensions: Thread.Loaded.IsCompletedSuccessfully ? Thread.Loaded.Result.Width : null)
            : serviceType == typeof(EncoderThread) ? Thread
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Does nothing.</summary>
    public void Dispose() => GC.SuppressFinalize(this);

    private protected abstract Task<float[][]> EncodeAsync(TInput[] inputs, CancellationToken cancellation);

    private protected virtual long? Tokens(VideoTextEncoder encoder, TInput[] inputs) => null;
}

/// <summary>Embeddings of texts: comparable with those of videos by their dot product.</summary>
/// <param name="thread">Owns the model.</param>
public sealed class TextEmbeddingGenerator(EncoderThread thread) : EmbeddingGenerator<string>(thread)
{
    private protected override Task<float[][]> EncodeAsync(string[] inputs, CancellationToken cancellation) => Thread.EncodeTextsAsync(inputs, cancellation);

    private protected override long? Tokens(VideoTextEncoder encoder, string[] inputs) =>
        inputs.Sum(text => (long)Math.Min(encoder.Tokenizer.Encode(text).Count + 2, encoder.Words));
}

/// <summary>Embeddings of videos, or of parts of them. One that cannot be decoded fails the call, by a <see cref="VideoException"/> that names it.</summary>
/// <param name="thread">Owns the model.</param>
public sealed class VideoEmbeddingGenerator(EncoderThread thread) : EmbeddingGenerator<VideoClip>(thread)
{
    private protected override Task<float[][]> EncodeAsync(VideoClip[] inputs, CancellationToken cancellation) => Thread.EncodeVideosAsync(inputs, cancellation);
}
