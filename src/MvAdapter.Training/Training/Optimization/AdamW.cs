using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>
/// Adam with bias correction and decoupled weight decay (arXiv 1711.05101), after a global clip of the gradient to
/// norm 1: what a CLIP is trained from nothing with. Adapters train with <see cref="BertAdam"/>, as published.
/// </summary>
/// <param name="parameters">What it moves.</param>
/// <param name="schedule">The factor on the learning rate at a step, counted from 0.</param>
public sealed class AdamW(IReadOnlyList<TrainedParameter> parameters, Func<long, double> schedule) : IDisposable
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.98;
    private const double Epsilon = 1e-6;
    private const double MaxNorm = 1;
    private readonly Tensor[] means = Zeros(parameters);
    private readonly Tensor[] variances = Zeros(parameters);
    private long steps;

    /// <summary>Moves every parameter that has a gradient and drops the gradients.</summary>
    public void Step()
    {
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        var gradients = parameters.Select(parameter => parameter.Value.Grad).ToArray();
        var norm = Tensor.Stack([.. gradients.OfType<Tensor>().Select(gradient => gradient.Norm())]).Norm();
        var clip = (MaxNorm / (norm + 1e-6)).Clamp(0, MaxNorm);
        var factor = schedule(steps++);
        for (var i = 0; i < parameters.Count; i++)
        {
            if (gradients[i] is not { } gradient) continue;
            Move(i, gradient.MultiplyInPlace(clip), factor);
            parameters[i].Value.Grad = null;
        }
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        foreach (var tensor in means.Concat(variances)) tensor.Dispose();
    }

    private void Move(int i, Tensor gradient, double factor)
    {
        using var scope = new TensorScope();
        var (value, settings) = (parameters[i].Value, parameters[i].Settings);
        var rate = settings.LearningRate * factor;
        means[i].MultiplyInPlace(Beta1).AddInPlace(gradient, 1 - Beta1);
        variances[i].MultiplyInPlace(Beta2).AddProductInPlace(gradient, gradient, 1 - Beta2);
        var deviation = (variances[i] / (1 - Math.Pow(Beta2, steps))).Sqrt() + Epsilon;
        if (settings.WeightDecay > 0) value.MultiplyInPlace(1 - rate * settings.WeightDecay);
        value.AddInPlace(means[i] / deviation, -rate / (1 - Math.Pow(Beta1, steps)));
    }

    private static Tensor[] Zeros(IReadOnlyList<TrainedParameter> parameters) =>
        [.. parameters.Select(parameter => Tensor.Zeros([.. parameter.Value.Shape], device: parameter.Value.Device).Unscoped())];
}
