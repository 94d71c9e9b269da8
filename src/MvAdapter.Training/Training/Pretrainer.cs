using MvAdapter.Clip;
using MvAdapter.Datasets;
using MvAdapter.Datasets.Shapes;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>
/// Trains a small CLIP from nothing on <see cref="StillShapes"/>, as CLIP was on pictures of the web: it learns what
/// things look like and are called, and knows no motion. The same configuration and number of threads give the same
/// weights.
/// </summary>
public sealed class Pretrainer : IDisposable
{
    /// <summary>More than the captions have to merge: every word becomes one token.</summary>
    private const int MostMerges = 2000;

    /// <summary>
    /// Patches of a flat ground are all pixels alike, so that their embeddings begin ten times as strong as those of
    /// positions, and places are learnt far later. This makes them equals.
    /// </summary>
    private const double PositionGain = 10;

    // Streams of pictures that no training seed reaches soon.
    private const ulong EvaluationSeed = 0x4556414C; // "EVAL"

    private readonly PretrainConfig config;
    private readonly ImageProcessor processor;
    private readonly RetrievalModel model;
    private readonly AdamW optimizer;
    private readonly IEnumerator<StillPicture> pictures;
    private Task<StillPicture[]>? next;

    /// <summary>Learns the vocabulary and draws the first weights.</summary>
    public Pretrainer(PretrainConfig config)
    {
        if (config.Steps < 1) throw new UsageException($"{config.Steps} steps: choose at least 1");
        if (config.Batch is < 2 or > 1000) throw new UsageException($"a batch of {config.Batch} pictures: choose 2 to 1000");
        this.config = config;
        // The videos' captions too: their motion words are then whole tokens, which an adapter learns the meaning of.
        Vocabulary = BpeTrainer.Train(Scene.All.Select(scene => scene.Caption).Concat(Story.All.Select(story => story.Caption)), MostMerges);
        Tokenizer = ClipTokenizer.From(Vocabulary);
        Clip = ClipModel.CreateRandom(config.Clip with { VocabularySize = Tokenizer.VocabularySize }, config.Seed);
        Clip.Parameters["visual.positional_embedding"].MultiplyInPlace(PositionGain);
        foreach (var (_, parameter) in Clip.Parameters.Items) parameter.RequiresGrad = true;
        model = new RetrievalModel(Clip);
        processor = new ImageProcessor(config.Clip.ImageSize);
        optimizer = new AdamW([.. Clip.Parameters.Items.Select(Trained)], step => WarmupCosine.Factor(step + 1, config.Steps + 1, config.Warmup));
        pictures = StillShapes.Generate(config.Clip.ImageSize, config.Seed, run: config.Run).GetEnumerator();
    }

    /// <summary>The model as it stands.</summary>
    public ClipModel Clip { get; }

    /// <summary>The vocabulary, learnt from the captions.</summary>
    public TrainedVocabulary Vocabulary { get; }

    /// <summary>The tokenizer of that vocabulary.</summary>
    public ClipTokenizer Tokenizer { get; }

    /// <summary>One step on the next pictures.</summary>
    /// <returns>The loss before it.</returns>
    public double Step()
    {
        var batch = (next ?? Task.Run(NextBatch)).GetAwaiter().GetResult();
        // Drawn while the model computes.
        next = Task.Run(NextBatch);
        using var scope = new TensorScope();
        var (texts, images) = Encode(batch);
        var loss = ContrastiveLoss.Of(model.Logits(texts, images));
        loss.Backward();
        optimizer.Step();
        model.ClampLogitScale();
        return loss.ToDouble();
    }

    /// <summary>
    /// How often, of the captions that differ from the right one in a single attribute, the right one is the nearest to
    /// a picture that training has not seen: the share by attribute.
    /// </summary>
    /// <param name="count">Pictures.</param>
    public IReadOnlyDictionary<string, double> Accuracies(int count)
    {
        var asked = StillShapes.Generate(config.Clip.ImageSize, EvaluationSeed).Take(count).ToArray();
        var scenes = Scene.All.ToArray();
        var encoder = new VideoTextEncoder(model, Tokenizer, new FrameSampling(), config.Clip.ContextLength);
        var texts = encoder.EncodeTexts(Array.ConvertAll(scenes, scene => scene.Caption));
        var rows = scenes.Index().ToDictionary(item => item.Item, item => item.Index);
        var right = Enum.GetValues<SceneAttribute>().ToDictionary(attribute => attribute, _ => 0);
        foreach (var batch in asked.Chunk(config.Batch))
        {
            using var scope = new TensorScope();
            using var noGrad = new NoGrad();
            var images = EncodePictures(batch).ToFloats();
            for (var i = 0; i < batch.Length; i++)
            {
                var image = images.AsMemory(i * encoder.Width, encoder.Width);
                foreach (var attribute in right.Keys)
                    if (batch[i].Scene.Alternatives(attribute).MaxBy(scene => Similarity(image, scene)) == batch[i].Scene) right[attribute]++;
            }
        }
        return right.ToDictionary(item => item.Key.ToString().ToLowerInvariant(), item => (double)item.Value / count);

        float Similarity(ReadOnlyMemory<float> image, Scene scene) =>
            System.Numerics.Tensors.TensorPrimitives.Dot(image.Span, texts.AsSpan(rows[scene] * encoder.Width, encoder.Width));
    }

    /// <summary>Frees model and optimiser.</summary>
    public void Dispose()
    {
        next?.GetAwaiter().GetResult();
        pictures.Dispose();
        optimizer.Dispose();
        model.Dispose();
    }

    // Two pictures of the same scene would each be the other's false negative.
    private StillPicture[] NextBatch()
    {
        var batch = new Dictionary<Scene, StillPicture>();
        while (batch.Count < config.Batch && pictures.MoveNext()) batch.TryAdd(pictures.Current.Scene, pictures.Current);
        return [.. batch.Values];
    }

    // Products in bfloat16 halve the time; what is compared and stepped stays float32.
    private (Tensor Texts, Tensor Images) Encode(StillPicture[] batch)
    {
        using var autocast = new Autocast(Device.Cpu);
        return (EncodeTexts(batch), EncodePictures(batch));
    }

    private Tensor EncodePictures(StillPicture[] batch)
    {
        var size = config.Clip.ImageSize;
        var values = new float[batch.Length * processor.PictureLength];
        for (var i = 0; i < batch.Length; i++)
            processor.Normalize(batch[i].Pixels, values.AsSpan(i * processor.PictureLength, processor.PictureLength));
        // To the model, a picture is a video of one frame.
        return model.EncodeVideos(Tensor.From(values, batch.Length, 1, 3, size, size), null, training: true);
    }

    private Tensor EncodeTexts(StillPicture[] batch)
    {
        var captions = Array.ConvertAll(batch, picture => picture.Caption);
        var words = captions.Max(caption => Tokenizer.Encode(caption).Count) + 2;
        return model.EncodeTexts(Tensor.From(Tokenizer.EncodeBatch(captions, words), batch.Length, words), training: true);
    }

    private TrainedParameter Trained(KeyValuePair<string, Tensor> item) =>
        new(item.Key, item.Value, new GroupSettings(config.LearningRate, item.Value.Dimensions > 1 ? config.WeightDecay : 0));
}
