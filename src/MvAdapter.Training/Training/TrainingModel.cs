using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>The method over its backbone and the encoder around both, as a config names them.</summary>
internal sealed class TrainingModel : IDisposable
{
    private TrainingModel(RetrievalModel model, VideoTextEncoder encoder, DType precision) =>
        (Model, Encoder, Precision) = (model, encoder, precision);

    public RetrievalModel Model { get; }

    public VideoTextEncoder Encoder { get; }

    public DType Precision { get; }

    public static TrainingModel Load(RunConfig config, Device device, CancellationToken cancellation)
    {
        var path = ModelFiles.Resolve(config.Clip, null, cancellation);
        var tokenizer = ClipTokenizer.Load(config.Vocabulary.Length > 0 ? config.Vocabulary : ModelFiles.FindVocabulary(path, null, cancellation));
        var definition = Methods.Find(config.Method);
        var precision = config.Precision == "bf16" ? DType.BFloat16 : DType.Float32;
        // The model shares what it needs of the backbone, so the rest (such as weights that it holds in bfloat16) can go.
        using var clip = ClipCheckpoint.Load(path, device, activation: config.ActivationFunction());
        RetrievalModel? model = null;
        try
        {
            tokenizer.RefuseOther(clip.Config, config.Clip);
            if (config.Words > clip.Config.ContextLength) throw new UsageException($"words {config.Words} exceeds the {clip.Config.ContextLength} tokens of this CLIP");
            model = RetrievalModel.Create(clip, Method(definition, clip, config, device), precision);
            model.MergeTokens = config.MergeTokens;
            model.GradientCheckpointing = config.GradientCheckpointing;
            return new TrainingModel(model, new VideoTextEncoder(model, tokenizer, config.FrameSampling(), config.Words), precision);
        }
        catch
        {
            model?.Dispose();
            throw;
        }
    }

    public void Dispose() => Model.Dispose();

    // Here settings come from whoever asks for the run, not from a file that is damaged.
    private static Method Method(MethodDefinition definition, ClipModel clip, RunConfig config, Device device)
    {
        try
        {
            return definition.Create(clip.Config, definition.Complete(config.Settings, config.Frames, config.Words), (ulong)config.Seed, device);
        }
        catch (MvAdapterException e) when (e is not UsageException)
        {
            throw new UsageException(e.Message);
        }
    }
}
