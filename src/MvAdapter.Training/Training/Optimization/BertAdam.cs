using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>
/// Adam as the published code has it (model.md section 9): no bias correction, each parameter's gradient clipped to norm 1
/// after a global clip to norm 1, decoupled weight decay, and a schedule over the whole run.
/// </summary>
public sealed class BertAdam : IDisposable
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.98;
    private const double Epsilon = 1e-6;
    private const double MaxNorm = 1;
    private const long PieceElements = 8 << 20;
    private readonly IReadOnlyList<TrainedParameter> parameters;
    private readonly Func<long, double> schedule;
    private readonly Tensor?[] means;      // of the gradient, per parameter once it has had one
    private readonly Tensor?[] variances;  // of its square

    /// <summary>An optimiser at step 0.</summary>
    /// <param name="parameters">What it moves.</param>
    /// <param name="schedule">The factor on the learning rate at a step, counted from 0.</param>
    public BertAdam(IReadOnlyList<TrainedParameter> parameters, Func<long, double> schedule)
    {
        (this.parameters, this.schedule) = (parameters, schedule);
        means = new Tensor?[parameters.Count];
        variances = new Tensor?[parameters.Count];
    }

    /// <summary>Steps taken.</summary>
    public long Steps { get; private set; }

    /// <summary>
    /// Moves every parameter that has a gradient and drops the gradients.
    /// </summary>
    /// <returns>The norm of the whole gradient before clipping, a scalar; to read it is to wait for a GPU.</returns>
    public Tensor Step()
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        var moved = Enumerable.Range(0, parameters.Count).Where(i => parameters[i].Value.Grad is not null).ToArray();
        Tensor[] gradients = [.. moved.Select(i => parameters[i].Value.Grad!)];
        var norm = Clip(gradients);
        var factor = schedule(Steps);
        // Together what has the same rate and decay, a piece at a time: what lies between takes as much memory as the piece.
        foreach (var group in Enumerable.Range(0, moved.Length).GroupBy(k => parameters[moved[k]].Settings))
            foreach (var piece in Pieces(group, k => gradients[k].ElementCount))
                Move([.. piece.Select(k => moved[k])], [.. piece.Select(k => gradients[k])], factor * group.Key.LearningRate, group.Key.WeightDecay);
        foreach (var parameter in parameters) parameter.Value.Grad = null;
        Steps++;
        return scope.Keep(norm);
    }

    /// <summary>The state to resume from: the moments by parameter name, and the steps taken.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State()
    {
        for (var i = 0; i < parameters.Count; i++)
        {
            if (means[i] is not { } mean) continue;
            yield return new("mean." + parameters[i].Name, mean);
            yield return new("variance." + parameters[i].Name, variances[i]!);
        }
    }

    /// <summary>Goes on from a state; each tensor is copied.</summary>
    /// <param name="steps">Steps taken.</param>
    /// <param name="state">Looks up a tensor of <see cref="State"/> by name; null where there is none.</param>
    public void Restore(long steps, Func<string, Tensor?> state)
    {
        Steps = steps;
        using var scope = new TensorScope();
        for (var i = 0; i < parameters.Count; i++)
        {
            means[i]?.Dispose();
            variances[i]?.Dispose();
            means[i] = state("mean." + parameters[i].Name)?.Clone().Unscoped();
            variances[i] = state("variance." + parameters[i].Name)?.Clone().Unscoped();
        }
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        foreach (var tensor in means.Concat(variances)) tensor?.Dispose();
    }

    // PyTorch's clip_grad_norm_, which the published training loop calls before the optimiser, over all gradients; then the same for each.
    private static Tensor Clip(Tensor[] gradients)
    {
        if (gradients.Length == 0) return Tensor.Zeros([]);
        var norms = Tensor.Stack(TensorList.Norms(gradients));
        var norm = norms.Norm();
        var all = Factor(norm);
        TensorList.MultiplyInPlace(gradients, [.. (all * Factor(norms * all)).Unbind()]);
        return norm;

        static Tensor Factor(Tensor norm) => (MaxNorm / (norm + 1e-6)).Clamp(0, MaxNorm);
    }

    private void Move(int[] which, Tensor[] gradients, double rate, double decay)
    {
        using var scope = new TensorScope();
        Tensor[] values = [.. which.Select(i => parameters[i].Value)];
        var (mean, variance) = (Moments(means, which), Moments(variances, which));
        TensorList.MultiplyInPlace(mean, Beta1);
        TensorList.AddInPlace(mean, gradients, 1 - Beta1);
        TensorList.MultiplyInPlace(variance, Beta2);
        TensorList.AddProductInPlace(variance, gradients, gradients, 1 - Beta2);
        var deviation = TensorList.Sqrt(variance);
        TensorList.AddInPlace(deviation, Epsilon);
        var update = TensorList.Divide(mean, deviation);
        if (decay > 0) TensorList.AddInPlace(update, values, decay);
        TensorList.AddInPlace(values, update, -rate);
    }

    private Tensor[] Moments(Tensor?[] moments, int[] which) =>
        [.. which.Select(i => moments[i] ??= Tensor.Zeros([.. parameters[i].Value.Shape], device: parameters[i].Value.Device).Unscoped())];

    private static IEnumerable<List<int>> Pieces(IEnumerable<int> items, Func<int, long> size)
    {
        var (piece, elements) = (new List<int>(), 0L);
        foreach (var item in items)
        {
            if (piece.Count > 0 && elements + size(item) > PieceElements)
            {
                yield return piece;
                (piece, elements) = ([], 0);
            }
            piece.Add(item);
            elements += size(item);
        }
        if (piece.Count > 0) yield return piece;
    }
}
