using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Some pairs of a batch.</summary>
/// <param name="Videos">The videos' frames.</param>
/// <param name="Ids">Tokens [B, L] of the captions, each the caption of the video of its row.</param>
public sealed record TrainingInput(FrameBatch Videos, Tensor Ids)
{
    /// <summary>Videos after those of the rows: for each, the row whose caption it is a wrong answer to.</summary>
    public IReadOnlyList<int> WrongAnswers { get; init; } = [];
}

/// <summary>One step of the optimiser over a model: forward, loss, backward, move. It knows no files and no data.</summary>
public sealed class TrainingStep : IDisposable
{
    private readonly RetrievalModel model;
    private readonly bool autocast;
    private readonly Workers? workers;
    private readonly GradientReducer? reducer;
    private bool reduced;
    private (Tensor Videos, Tensor Texts)? own;   // this worker's embeddings of the last batch

    /// <summary>Turns gradients on for what trains.</summary>
    /// <param name="model">The model.</param>
    /// <param name="groups">Learning rates and decay.</param>
    /// <param name="schedule">The factor on the learning rate at a step.</param>
    /// <param name="precision">BFloat16 lets products of weights that train run so; frozen ones run in the type they are stored in.</param>
    /// <param name="workers">Those who train together, each on its rows of the batch; null for one alone.</param>
    public TrainingStep(RetrievalModel model, OptimizerGroups groups, Func<long, double> schedule, DType precision = DType.Float32, Workers? workers = null)
    {
        (this.model, this.workers) = (model, workers);
        var parameters = model.TrainableParameters().Select(item => new TrainedParameter(item.Key, item.Value, groups.Of(item.Key))).ToList();
        if (parameters.Count == 0) throw new UsageException($"the method '{model.Method.Name}' trains nothing");
        foreach (var parameter in parameters) parameter.Value.RequiresGrad = true;
        autocast = precision == DType.BFloat16 && parameters.Any(parameter => ClipModel.IsProductWeight(parameter.Name));
        Optimizer = new BertAdam(parameters, schedule);
        reducer = workers is null ? null : new GradientReducer(workers.Group, [.. parameters.Select(parameter => parameter.Value)]);
    }

    /// <summary>The optimiser.</summary>
    public BertAdam Optimizer { get; }

    /// <summary>Bytes of gradients that a step sends to the other workers' sum; 0 for one alone.</summary>
    public long GradientBytes => reducer?.Bytes ?? 0;

    /// <summary>Adds a batch's gradient to those gathered for the next step.</summary>
    /// <param name="input">The batch, or this worker's rows of it.</param>
    /// <param name="share">The batch's part of the step: 1 / accumulation.</param>
    /// <param name="rows">Rows of each worker; null for one alone.</param>
    /// <param name="last">Whether the step follows: then gradients travel between workers while the backward pass runs.</param>
    /// <returns>The batch's loss, a scalar; to read it is to wait for a GPU.</returns>
    public Tensor Accumulate(TrainingInput input, double share = 1, IReadOnlyList<int>? rows = null, bool last = false)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (rows is not null) return AccumulateTogether(input, share, rows, last);
        using var scope = new TensorScope();
        Tensor loss;
        using (autocast ? new Autocast(model.Device) : null)
        {
            var videos = model.EncodeVideos(input.Videos, training: true);
            var texts = model.EncodeTexts(input.Ids, training: true);
            loss = ContrastiveLoss.Of(model.Logits(texts, videos).To(DType.Float32), input.WrongAnswers);
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
    /// <param name="rows">Rows of each worker; null for one alone.</param>
    /// <param name="last">Whether the step follows.</param>
    /// <returns>The batch's loss, a scalar.</returns>
    public Tensor Accumulate(IReadOnlyList<Func<TrainingInput>> parts, double share = 1, IReadOnlyList<int>? rows = null, bool last = false)
    {
        using var scope = new TensorScope();
        var (videos, texts) = EncodeWithoutGraph(parts);
        var (loss, videoGradient, textGradient) = Contrast(videos, texts, share, rows);
        long first = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            using var inner = new TensorScope();
            var (v, t) = Encode(parts[i]());
            var count = v.Size(0);
            Carry(v, t, videoGradient.Narrow(0, first, count), textGradient.Narrow(0, first, count), last && i == parts.Count - 1);
            first += count;
        }
        return scope.Keep(loss);
    }

    // A worker's rows: their embeddings are gathered from all, and the loss over all of them gives each its gradient, which is carried
    // back through the worker's own towers alone (model.md section 8).
    private Tensor AccumulateTogether(TrainingInput input, double share, IReadOnlyList<int> rows, bool last)
    {
        using var scope = new TensorScope();
        var (v, t) = Encode(input);
        var (loss, videoGradient, textGradient) = Contrast(v.Detach(), t.Detach(), share, rows);
        Carry(v, t, videoGradient, textGradient, last);
        return scope.Keep(loss);
    }

    /// <summary>The loss over all embeddings, and its gradient by those given.</summary>
    private (Tensor Loss, Tensor Videos, Tensor Texts) Contrast(Tensor videos, Tensor texts, double share, IReadOnlyList<int>? rows)
    {
        var (allVideos, allTexts) = rows is null ? (videos, texts) : (Gather(videos, rows), Gather(texts, rows));
        (allVideos.RequiresGrad, allTexts.RequiresGrad) = (true, true);
        var loss = ContrastiveLoss.Of(model.Logits(allTexts, allVideos).To(DType.Float32));
        var scale = model.Clip.LogitScale;
        var gradients = Autograd.Gradient([loss * share], scale.RequiresGrad ? [allVideos, allTexts, scale] : [allVideos, allTexts]);
        var (videoGradient, textGradient) = (gradients[0]!, gradients[1]!);
        if (scale.RequiresGrad)
        {
            // Each worker has the whole loss, so the sum over the workers would have this gradient so many times.
            using var noGrad = new NoGrad();
            var part = gradients[2]! / (workers?.Count ?? 1);
            scale.Grad = scale.Grad is { } gathered ? gathered + part : part;
        }
        if (rows is null) return (loss.Detach(), videoGradient, textGradient);
        Forget();
        own = (videos.Detach().Unscoped(), texts.Detach().Unscoped());
        var (first, count) = (rows.Take(workers!.Rank).Sum(), rows[workers.Rank]);
        // A worker without rows has encoded one that does not count.
        return count == 0 ? (loss.Detach(), Tensor.Zeros([.. videos.Shape], device: videos.Device), Tensor.Zeros([.. texts.Shape], device: texts.Device))
            : (loss.Detach(), videoGradient.Narrow(0, first, count), textGradient.Narrow(0, first, count));
    }

    private Tensor Gather(Tensor own, IReadOnlyList<int> rows)
    {
        var most = rows.Max();
        var padded = Tensor.Zeros([most, own.Size(1)], device: own.Device);
        var count = rows[workers!.Rank];
        if (count > 0) padded.Narrow(0, 0, count).CopyFrom(own);
        var all = workers.Guarded(() => workers.Group.AllGather(padded));
        return Tensor.Concatenate([.. all.Select((part, rank) => part.Narrow(0, 0, rows[rank]))]).Detach();
    }

    private void Carry(Tensor videos, Tensor texts, Tensor videoGradient, Tensor textGradient, bool last)
    {
        if (last) reducer?.Arm();
        var carried = new[] { (Of: videos, Gradient: videoGradient), (Of: texts, Gradient: textGradient) }.Where(item => item.Of.RequiresGrad).ToList();
        Autograd.Backward([.. carried.Select(item => item.Of)], [.. carried.Select(item => item.Gradient)]);
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
        Reduce();
        reduced = false;
        var norm = Optimizer.Step();
        model.ClampLogitScale();
        return norm;
    }

    /// <summary>Sums the gradients gathered over the workers; <see cref="Step"/> does it where it was not done before.</summary>
    /// <exception cref="WorkerException">A worker is lost; nothing has moved.</exception>
    public void Reduce()
    {
        if (reducer is null || reduced) return;
        workers!.Guarded(reducer.Finish);
        reduced = true;
    }

    /// <summary>Whether this worker's own embeddings of the last batch are numbers: which worker brought what is none into the loss of all.</summary>
    public bool OwnIsFinite()
    {
        using var scope = new TensorScope();
        return own is not { } last || (double.IsFinite(last.Videos.Sum().ToDouble()) && double.IsFinite(last.Texts.Sum().ToDouble()));
    }

    private void Forget()
    {
        own?.Videos.Dispose();
        own?.Texts.Dispose();
        own = null;
    }

    /// <summary>Forgets the gradients gathered.</summary>
    public void Discard()
    {
        foreach (var (_, parameter) in model.TrainableParameters()) parameter.Grad = null;
    }

    /// <summary>Frees the optimiser.</summary>
    public void Dispose()
    {
        Forget();
        reducer?.Dispose();
        Optimizer.Dispose();
    }
}
