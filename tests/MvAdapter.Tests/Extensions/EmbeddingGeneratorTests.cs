using Microsoft.Extensions.AI;
using Microsoft.Extensions.Caching.Distributed;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;
using MvAdapter.Extensions;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Extensions;

/// <summary>Embeddings by way of Microsoft.Extensions.AI: those of the encoder itself, whoever asks and however many at once.</summary>
public sealed class EmbeddingGeneratorTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>
{
    private static readonly string[] Texts = ["a man is riding a bike", "a woman is talking", "the dog is running in the park"];

    [Fact]
    public async Task Texts_and_videos_are_those_of_the_encoder()
    {
        using var encoder = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint));
        var expected = encoder.EncodeTexts(Texts).Chunk(encoder.Width).ToArray();
        VideoClip[] videos = [.. Enumerable.Range(0, 3).Select(i => new VideoClip(data.Video(i)))];
        using var thread = Start();
        using var texts = new TextEmbeddingGenerator(thread);
        var embeddings = await texts.GenerateAsync(Texts, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(3, embeddings.Count);
        for (var i = 0; i < Texts.Length; i++) Rounding.AssertSame(expected[i], embeddings[i].Vector.ToArray(), Rounding.SumsOf(TinyClip.Layers));
        Assert.Equal(Texts.Sum(text => encoder.Tokenizer.Encode(text).Count + 2), embeddings.Usage!.InputTokenCount);
        var seen = await new VideoEmbeddingGenerator(thread).GenerateAsync(videos, cancellationToken: TestContext.Current.CancellationToken);
        foreach (var (one, other) in seen.Zip(encoder.EncodeVideos(videos, TestContext.Current.CancellationToken)))
            Rounding.AssertSame(other.Embedding, one.Vector.ToArray(), Rounding.SumsOf(TinyClip.Layers));
        var metadata = (EmbeddingGeneratorMetadata)texts.GetService(typeof(EmbeddingGeneratorMetadata))!;
        Assert.Equal(("mvadapter", clip.Checkpoint, encoder.Width), (metadata.ProviderName, metadata.DefaultModelId, metadata.DefaultModelDimensions));
    }

    [Fact]
    public async Task Many_at_once_get_each_their_own()
    {
        using var thread = Start();
        using var generator = new TextEmbeddingGenerator(thread);
        string[] asked = [.. Enumerable.Range(0, 40).Select(i => $"a dog number {i} is running")];
        var alone = (await generator.GenerateAsync(asked, cancellationToken: TestContext.Current.CancellationToken)).Select(embedding => embedding.Vector.ToArray()).ToArray();
        var together = await Task.WhenAll(asked.Select(text => Task.Run(() => generator.GenerateVectorAsync(text))));
        foreach (var (one, other) in alone.Zip(together)) Rounding.AssertSame(one, other.ToArray(), Rounding.SumsOf(TinyClip.Layers));
    }

    [Fact]
    public async Task What_cannot_be_done_is_told_and_hurts_nobody_else()
    {
        using var thread = Start();
        using var texts = new TextEmbeddingGenerator(thread);
        using var videos = new VideoEmbeddingGenerator(thread);
        var broken = await Assert.ThrowsAsync<VideoException>(() => videos.GenerateAsync([new VideoClip(data.Video(0)), new VideoClip("/nowhere.mp4")], cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("/nowhere.mp4", broken.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<NotSupportedException>(() => texts.GenerateAsync(["x"], new EmbeddingGenerationOptions { Dimensions = 7 }, TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => texts.GenerateAsync(["x"], cancellationToken: new CancellationToken(true)));
        Assert.Empty(await texts.GenerateAsync([], cancellationToken: TestContext.Current.CancellationToken));
        Assert.Single(await texts.GenerateAsync(["still here"], cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task After_its_end_nobody_waits()
    {
        var thread = Start();
        using var generator = new TextEmbeddingGenerator(thread);
        await generator.GenerateAsync(["x"], cancellationToken: TestContext.Current.CancellationToken);
        thread.Dispose();
        thread.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => generator.GenerateAsync(["x"], cancellationToken: TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_model_that_cannot_be_loaded_is_told_to_each_who_asks()
    {
        using var thread = new EncoderThread(new MvAdapterOptions { Clip = "/nowhere.pt" });
        using var generator = new TextEmbeddingGenerator(thread);
        for (var i = 0; i < 2; i++)
            Assert.Contains("/nowhere.pt", (await Assert.ThrowsAnyAsync<MvAdapterException>(() => generator.GenerateAsync(["x"], cancellationToken: TestContext.Current.CancellationToken))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_decorators_of_the_field_go_around_it()
    {
        using var thread = Start();
        using var memory = new MemoryCache(new MemoryCacheOptions());
        var counting = new Counting(new TextEmbeddingGenerator(thread));
        using var generator = counting.AsBuilder()
            .UseDistributedCache(new MemoryDistributedCache(Options.Create(new MemoryDistributedCacheOptions())))
            .UseOpenTelemetry(sourceName: "tests")
            .UseLogging(Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance)
            .Build();
        var first = await generator.GenerateVectorAsync("a dog", cancellationToken: TestContext.Current.CancellationToken);
        var again = await generator.GenerateVectorAsync("a dog", cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(first.ToArray(), again.ToArray());
        Assert.Equal(1, counting.Calls);
        Assert.Equal("mvadapter", generator.GetService<EmbeddingGeneratorMetadata>()!.ProviderName);
    }

    private EncoderThread Start() => new(new MvAdapterOptions { Clip = clip.Checkpoint });

    private sealed class Counting(IEmbeddingGenerator<string, Embedding<float>> inner) : DelegatingEmbeddingGenerator<string, Embedding<float>>(inner)
    {
        public int Calls { get; private set; }

        public override Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
        {
            Calls++;
            return base.GenerateAsync(values, options, cancellationToken);
        }
    }
}
