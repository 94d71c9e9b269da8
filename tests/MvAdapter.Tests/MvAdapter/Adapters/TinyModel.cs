using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Adapters;

/// <summary>A random CLIP small enough for every method, and a batch of three videos of four frames, one cut short.</summary>
internal sealed class TinyModel : IDisposable
{
    public const int Layers = 3;   // of each tower
    public static readonly ClipConfig Config = new(32, 16, 4, 48, Layers, 32, Layers, 10, 40);

    private readonly int mergeTokens;

    public TinyModel(ActivationFunction activation = ActivationFunction.QuickGelu, int mergeTokens = 0)
    {
        this.mergeTokens = mergeTokens;
        using var generator = new Generator(5);
        Pixels = Tensor.RandN([3, 4, 3, 16, 16], generator);
        Mask = Tensor.From<float>([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], 3, 4);
        Ids = Tensor.From<long>([38, 5, 9, 39, 0, 38, 7, 39, 0, 0, 38, 1, 2, 3, 39], 3, 5);
        Backbone = ClipModel.CreateRandom(Config with { Activation = activation }, 1);
    }

    public Tensor Pixels { get; }
    public Tensor Mask { get; }
    public Tensor Ids { get; }
    public ClipModel Backbone { get; }

    public RetrievalModel Create(string method, string? settings = null) =>
        Merging(RetrievalModel.Create(Backbone, Methods.Find(method).Create(Config, settings, seed: 2)));

    public RetrievalModel ZeroShot() => Merging(RetrievalModel.ZeroShot(Backbone));

    public RetrievalModel Load(string adapter) => Merging(AdapterCheckpoint.Load(adapter, Backbone));

    private RetrievalModel Merging(RetrievalModel model)
    {
        model.MergeTokens = mergeTokens;
        return model;
    }

    /// <summary>The same, with what it trains moved away from where it starts.</summary>
    public RetrievalModel CreateMoved(string method, string? settings = null)
    {
        var model = Create(method, settings);
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        using var generator = new Generator(3);
        foreach (var (_, value) in model.TrainableParameters()) value.AddInPlace(Tensor.RandN([.. value.Shape], generator), 0.1);
        return model;
    }

    public (float[] Videos, float[] Texts) Embed(RetrievalModel model, Tensor? pixels = null, Tensor? mask = null)
    {
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        return (model.EncodeVideos(pixels ?? Pixels, mask ?? Mask).ToFloats(), model.EncodeTexts(Ids).ToFloats());
    }

    /// <summary>Steps of training at large rates; the losses before each.</summary>
    public double[] Train(RetrievalModel model, int steps, bool bfloat16 = false)
    {
        var group = new GroupSettings(0.01, 0.2);
        var parameters = model.TrainableParameters().Select(item => new TrainedParameter(item.Key, item.Value, group)).ToList();
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = true;
        using var optimizer = new BertAdam(parameters, static _ => 1);
        var losses = new double[steps];
        for (var step = 0; step < steps; step++)
        {
            using var scope = new TensorScope();
            using var autocast = bfloat16 ? new Autocast(Device.Cpu) : null;
            var loss = ContrastiveLoss.Of(model.Logits(model.EncodeTexts(Ids, training: true), model.EncodeVideos(Pixels, Mask, training: true)));
            losses[step] = loss.ToDouble();
            loss.Backward();
            optimizer.Step();
        }
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = false;
        return losses;
    }

    public void Dispose()
    {
        foreach (var tensor in new[] { Pixels, Mask, Ids }) tensor.Dispose();
        Backbone.Dispose();
    }
}
