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
        var gradients = parameters.Select(parameter => parameter.Value.Grad).ToArray();
        var norm = ClipGlobally(gradients);
        var factor = schedule(Steps);
        for (var i = 0; i < parameters.Count; i++)
            if (gradients[i] is { } gradient) Move(i, gradient, factor);
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

    // PyTorch's clip_grad_norm_, which the published training loop calls before the optimiser.
    private static Tensor ClipGlobally(Tensor?[] gradients)
    {
        var norms = gradients.OfType<Tensor>().Select(gradient => gradient.Norm()).ToArray();
        if (norms.Length == 0) return Tensor.Zeros([]);
        var total = Tensor.Stack(norms).Norm();
        var scale = (MaxNorm / (total + 1e-6)).Clamp(0, MaxNorm);
        foreach (var gradient in gradients) gradient?.MultiplyInPlace(scale);
        return total;
    }

    private void Move(int i, Tensor gradient, double factor)
    {
        using var scope = new TensorScope();
        var value = parameters[i].Value;
        var (rate, decay) = (parameters[i].Settings.LearningRate * factor, parameters[i].Settings.WeightDecay);
        gradient.MultiplyInPlace((MaxNorm / (gradient.Norm() + 1e-6)).Clamp(0, MaxNorm));
        var mean = means[i] ??= Tensor.Zeros([.. value.Shape], device: value.Device).Unscoped();
        var variance = variances[i] ??= Tensor.Zeros([.. value.Shape], device: value.Device).Unscoped();
        mean.MultiplyInPlace(Beta1).AddInPlace(gradient, 1 - Beta1);
        variance.MultiplyInPlace(Beta2).AddProductInPlace(gradient, gradient, 1 - Beta2);
        var update = mean / (variance.Sqrt() + Epsilon);
        if (decay > 0) update.AddInPlace(value, decay);
        value.AddInPlace(update, -rate);
    }
}
