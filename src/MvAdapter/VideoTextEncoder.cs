using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter;

/// <summary>One clip's embedding, or why it has none.</summary>
/// <param name="Clip">The clip asked for.</param>
/// <param name="Embedding">L2-normalised, length E; empty after an error.</param>
/// <param name="Error">Why the clip was skipped, or null.</param>
public sealed record EncodedVideo(VideoClip Clip, float[] Embedding, VideoException? Error);

/// <summary>
/// The one way from files and captions to embeddings, used by training's evaluation, indexing, searching and serving
/// alike. Model work runs on the calling thread, or on one of each device where there are several; videos are decoded on
/// others meanwhile.
/// </summary>
public sealed class VideoTextEncoder : IDisposable
{
    /// <summary>Frames that go through the model at once: enough to fill the processor, little memory.</summary>
    private const int FramesPerBatch = 48;
    private const int TextsPerBatch = 64;
    private readonly IDisposable[] owned;
    private IReadOnlyList<VideoTextEncoder> replicas = [];
    private DeviceLanes? lanes;

    /// <summary>An encoder over a model in memory, which it does not own.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">The tokenizer of its vocabulary.</param>
    /// <param name="sampling">Which frames are taken.</param>
    /// <param name="words">Most tokens of a caption.</param>
    public VideoTextEncoder(RetrievalModel model, ClipTokenizer tokenizer, FrameSampling sampling, int words)
        : this(model, tokenizer, sampling, words, []) { }

    private VideoTextEncoder(RetrievalModel model, ClipTokenizer tokenizer, FrameSampling sampling, int words, IDisposable[] owned)
    {
        (Model, Tokenizer, Sampling, Words, this.owned) = (model, tokenizer, sampling, words, owned);
        Reader = new VideoReader(model.Clip.Config.CreateImageProcessor(), sampling);
    }

    /// <summary>The model.</summary>
    public RetrievalModel Model { get; }

    /// <summary>The tokenizer.</summary>
    public ClipTokenizer Tokenizer { get; }

    /// <summary>Which frames are taken of a video.</summary>
    public FrameSampling Sampling { get; }

    /// <summary>Most tokens of a caption, start and end included.</summary>
    public int Words { get; }

    /// <summary>Reads videos into pictures.</summary>
    public VideoReader Reader { get; }

    /// <summary>The <see cref="RetrievalModel.MergeTokens"/> that the adapter was trained with; 0 where there is none.</summary>
    public int TrainedMergeTokens { get; private init; }

    /// <summary>The length E of an embedding.</summary>
    public int Width => Model.Clip.Config.EmbeddingWidth;

    /// <summary>Loads a CLIP, its vocabulary and, if named, an adapter.</summary>
    /// <param name="source">What to load.</param>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellation">Ends downloads.</param>
    /// <exception cref="MvAdapterException">A file is missing, damaged or does not fit; the line says which.</exception>
    public static VideoTextEncoder Load(
        ModelSource source, IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (source.OtherDevices.Count > 0) return LoadOnMany(source, progress, cancellation);
        var path = ModelFiles.Resolve(source.Clip, progress, cancellation);
        var clip = ClipCheckpoint.Load(path, source.Device, source.Precision, source.Activation, source.Backbone ?? AdapterCheckpoint.BackboneOf(source.Adapter));
        try
        {
            // After the checkpoint: beside a file that is no CLIP there is no vocabulary either, and that would be the lesser news.
            var tokenizer = ClipTokenizer.Load(source.Vocabulary ?? ModelFiles.FindVocabulary(path, progress, cancellation));
            tokenizer.RefuseOther(clip.Config, source.Clip);
            return Over(clip, tokenizer, source, clip);
        }
        catch
        {
            clip.Dispose();
            throw;
        }
    }

    private static VideoTextEncoder LoadOnMany(ModelSource source, IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        var loaded = new List<VideoTextEncoder>();
        try
        {
            foreach (var device in source.OtherDevices.Prepend(source.Device)) loaded.Add(Load(source with { Device = device, OtherDevices = [] }, progress, cancellation));
            loaded[0].replicas = loaded[1..];
            loaded[0].lanes = new DeviceLanes(loaded);
            return loaded[0];
        }
        catch
        {
            foreach (var encoder in loaded) encoder.Dispose();
            throw;
        }
    }

    /// <summary>An encoder of one task over a CLIP in memory, whose weights it shares.</summary>
    /// <param name="clip">The backbone.</param>
    /// <param name="tokenizer">The tokenizer of its vocabulary.</param>
    /// <param name="source">The adapter, and what else is to be other than in its training.</param>
    /// <param name="owned">What is freed with the encoder besides the task's model.</param>
    internal static VideoTextEncoder Over(ClipModel clip, ClipTokenizer tokenizer, ModelSource source, params IDisposable[] owned)
    {
        var model = source.Adapter is { } adapter ? AdapterCheckpoint.Load(adapter, clip, source.AdapterConfig) : RetrievalModel.ZeroShot(clip);
        try
        {
            var trained = AdapterInput.Of(source.Adapter);
            var usual = new FrameSampling();
            var frames = Fit("frames", source.Frames ?? trained.Frames, model.Method.MaxFrames, usual.MaxFrames);
            var words = Fit("words", source.Words ?? trained.Words, model.Method.MaxWords, Math.Min(32, clip.Config.ContextLength));
            if (words > clip.Config.ContextLength) throw new UsageException($"--words {words} exceeds the {clip.Config.ContextLength} tokens of this CLIP");
            var sampling = new FrameSampling
            {
                Strategy = source.Strategy ?? trained.Strategy ?? usual.Strategy,
                MaxFrames = frames,
                FramesPerSecond = source.FramesPerSecond ?? trained.FramesPerSecond ?? usual.FramesPerSecond,
                Rule = source.FrameRule ?? trained.Rule ?? usual.Rule,
                PictureRate = source.PictureRate ?? usual.PictureRate,
            };
            var encoder = new VideoTextEncoder(model, tokenizer, sampling, words, [model, .. owned]) { TrainedMergeTokens = trained.MergeTokens ?? 0 };
            model.MergeTokens = source.MergeTokens ?? encoder.TrainedMergeTokens;
            return encoder;
        }
        catch
        {
            model.Dispose();
            throw;
        }

        // An adapter has positions for so many and no more.
        static int Fit(string what, int? asked, int? adapter, int usual) => asked is { } value && adapter is { } most && value > most
            ? throw new UsageException($"--{what} {value} exceeds the adapter's {most}")
            : asked ?? adapter ?? usual;
    }

    /// <summary>The tokens of captions, cut to the longest: [N, L] (int64), on the model's device.</summary>
    public Tensor TokenRows(IReadOnlyList<string> texts)
    {
        var rows = texts.Select(text => Tokenizer.EncodeRow(text, Words)).ToArray();
        return Rows(rows, rows.Max(Length));
    }

    /// <summary>Encodes texts in their order: [texts, E], row-major, each L2-normalised.</summary>
    public float[] EncodeTexts(IReadOnlyList<string> texts, CancellationToken cancellation = default)
    {
        var result = new float[texts.Count * Width];
        // Captions of similar length go together, cut to the longest: exact, since padding follows end-of-text under
        // the causal mask.
        var rows = texts.Select(text => Tokenizer.EncodeRow(text, Words)).ToArray();
        var batches = Enumerable.Range(0, rows.Length).OrderBy(i => Length(rows[i])).Chunk(TextsPerBatch);
        foreach (var (batch, embeddings) in OnAll(batches, (encoder, batch) => (batch, encoder.EncodeRows(rows, batch))))
        {
            cancellation.ThrowIfCancellationRequested();
            for (var k = 0; k < batch.Length; k++) embeddings.AsSpan(k * Width, Width).CopyTo(result.AsSpan(batch[k] * Width));
        }
        return result;
    }

    private float[] EncodeRows(int[][] rows, int[] batch)
    {
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        return Model.EncodeTexts(Rows([.. batch.Select(i => rows[i])], Length(rows[batch[^1]]))).ToFloats();
    }

    // Each batch by whichever device is free, and in their order; on the calling thread where there is one device.
    private IEnumerable<TResult> OnAll<TItem, TResult>(IEnumerable<TItem> items, Func<VideoTextEncoder, TItem, TResult> encode) =>
        lanes?.Run(items, encode) ?? items.Select(item => encode(this, item));

    /// <summary>Encodes clips in their order; one that cannot be decoded comes with its error, and the others go on.</summary>
    public IEnumerable<EncodedVideo> EncodeVideos(IEnumerable<VideoClip> clips, CancellationToken cancellation = default) =>
        EncodeVideos(Reader.Read(clips, cancellation));

    /// <summary>Encodes clips that were read already, such as by a frame cache.</summary>
    public IEnumerable<EncodedVideo> EncodeVideos(IEnumerable<VideoFrames> videos)
    {
        return OnAll(Batches(), (encoder, batch) => encoder.EncodeBatch(batch)).SelectMany(encoded => encoded);

        IEnumerable<List<VideoFrames>> Batches()
        {
            var batch = new List<VideoFrames>();
            foreach (var video in videos)
            {
                batch.Add(video);
                if (batch.Sum(item => item.FrameCount) + Sampling.MaxFrames <= FramesPerBatch) continue;
                yield return batch;
                batch = [];
            }
            if (batch.Count > 0) yield return batch;
        }
    }

    /// <summary>Frees the model, when the encoder loaded it.</summary>
    public void Dispose()
    {
        lanes?.Dispose();
        foreach (var replica in replicas) replica.Dispose();
        foreach (var part in owned) part.Dispose();
    }

    /// <summary>The tokens of a row up to and including end-of-text.</summary>
    private int Length(int[] row) => Array.IndexOf(row, Tokenizer.EndOfText) + 1;

    private Tensor Rows(int[][] rows, int length) =>
        Tensor.From(rows.SelectMany(row => row.Take(length)).Select(id => (long)id).ToArray(), rows.Length, length).Upload(Model.Device);

    private List<EncodedVideo> EncodeBatch(List<VideoFrames> batch)
    {
        var good = batch.Where(video => video.Error is null).ToList();
        float[] embeddings = [];
        if (good.Count > 0)
        {
            using var scope = new TensorScope();
            using var inference = new InferenceMode();
            var input = FrameBatch.From(good, Sampling.MaxFrames, Model.Clip.Config, Model.Device);
            embeddings = Model.EncodeVideos(input).ToFloats();
        }
        var results = new List<EncodedVideo>();
        var row = 0;
        foreach (var video in batch)
            results.Add(new EncodedVideo(video.Clip, video.Error is null ? embeddings[(row * Width)..(++row * Width)] : [], video.Error));
        return results;
    }
}
