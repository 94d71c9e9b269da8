using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Some pairs of a batch.</summary>
/// <param name="Videos">The videos' frames.</param>
/// <param name="Ids">Tokens [B, L] of the captions, each the caption of the video of its row.</param>
public sealed record TrainingInput(FrameBatch Videos, Tensor Ids);

/// <summary>One step of the optimiser over a model: forward, loss, backward, move. It knows no files and no data.</summary>
public sealed class TrainingStep : IDisposable
{
    private readonly RetrievalModel model;
    private readonly bool autocast;

    /// <summary>Turns gradients on for what trains.</summary>
    /// <param name="model">The model.</param>
    /// <param name="groups">Learning rates and decay.</param>
    /// <param name="schedule">The factor on the learning rate at a step.</param>
    /// <param name="precision">BFloat16 lets products of weights that train run so; frozen ones run in the type they are stored in.</param>
    public TrainingStep(RetrievalModel model, OptimizerGroups groups, Func<long, double> schedule, DType precision = DType.Float32)
    {
        this.model = model;
        var parameters = model.TrainableParameters().Select(item => new TrainedParameter(item.Key, item.Value, groups.Of(item.Key))).ToList();
        if (parameters.Count == 0) throw new UsageException($"the method '{model.Method.Name}' trains nothing");
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = true;
        autocast = precision == DType.BFloat16 && parameters.Any(parameter => ClipModel.IsProductWeight(parameter.Name));
        Optimizer = new BertAdam(parameters, schedule);
    }

    /// <summary>The optimiser.</summary>
    public BertAdam Optimizer { get; }

    /// <summary>Adds a batch's gradient to those gathered for the next step.</summary>
    /// <param name="input">The batch.</param>
    /// <param name="share">The batch's part of the step: 1 / accumulation.</param>
    /// <returns>The batch's loss, a scalar; to read it is to wait for a GPU.</returns>
    public Tensor Accumulate(TrainingInput input, double share = 1)
    {
        ArgumentNullException.ThrowIfNull(input);
        using var scope = new TensorScope();
        Tensor loss;
        using (autocast ? new Autocast(model.Device) : null)
        {
            var videos = model.EncodeVideos(input.Videos, training: true);
            var texts = model.EncodeTexts(input.Ids, training: true);
            loss = ContrastiveLoss.Of(model.Logits(texts, videos).To(DType.Float32));
        }
        (loss * share).Backward();
        return scope.Keep(loss.Detach());
    }

    /// <summary>
    /// The same for a batch in parts, in the memory of one part (gradient caching, arXiv 2101.06983): all parts are encoded without a
    /// graph, the loss over all of them gives each embedding's gradient, and each part is encoded once more to carry its own back.
    /// </summary>
    /// <param name="parts">
    /// Each makes its part's input, twice; what it draws from the default generator must be the same both times, or dropout is not.
    /// </param>
    /// <param name="share">The batch's part of the step: 1 / accumulation.</param>
    /// <returns>The batch's loss, a scalar.</returns>
    public Tensor Accumulate(IReadOnlyList<Func<TrainingInput>> parts, double share = 1)
    {
        using var scope = new TensorScope();
        var (videos, texts) = EncodeWithoutGraph(parts);
        (videos.RequiresGrad, texts.RequiresGrad) = (true, true);
        var loss = ContrastiveLoss.Of(model.Logits(texts, videos).To(DType.Float32));
        (loss * share).Backward();   // logit_scale has its gradient now
        var (videoGradient, textGradient) = (videos.Grad!, texts.Grad!);
        long first = 0;
        foreach (var part in parts)
        {
            using var inner = new TensorScope();
            var (v, t) = Encode(part());
            var count = v.Size(0);
            var carried = new[] { (Of: v, Gradient: videoGradient), (Of: t, Gradient: textGradient) }.Where(item => item.Of.RequiresGrad).ToList();
            Autograd.Backward([.. carried.Select(item => item.Of)], [.. carried.Select(item => item.Gradient.Narrow(0, first, count))]);
            first += count;
        }
        return scope.Keep(loss.Detach());
    }

    private (Tensor Videos, Tensor Texts) EncodeWithoutGraph(IReadOnlyList<Func<TrainingInput>> parts)
    {
        using var noGrad = new NoGrad();
        var encoded = new List<(Tensor Videos, Tensor Texts)>();
        foreach (var part in parts)
        {
            using var inner = new TensorScope();
            var (videos, texts) = Encode(part());
            encoded.Add((inner.Keep(videos), inner.Keep(texts)));
        }
        return (Tensor.Concatenate([.. encoded.Select(item => item.Videos)]), Tensor.Concatenate([.. encoded.Select(item => item.Texts)]));
    }

    private (Tensor Videos, Tensor Texts) Encode(TrainingInput input)
    {
        using var mode = autocast ? new Autocast(model.Device) : null;
        return (model.EncodeVideos(input.Videos, training: true).To(DType.Float32), model.EncodeTexts(input.Ids, training: true).To(DType.Float32));
    }

    /// <summary>Moves the parameters by the gradients gathered, and forgets these. Returns the gradient's norm, a scalar.</summary>
    public Tensor Step()
    {
        var norm = Optimizer.Step();
        model.ClampLogitScale();
        return norm;
    }

    /// <summary>Forgets the gradients gathered.</summary>
    public void Discard()
    {
        foreach (var (_, parameter) in model.TrainableParameters()) parameter.Grad = null;
    }

    /// <summary>Frees the optimiser.</summary>
    public void Dispose() => Optimizer.Dispose();
}
