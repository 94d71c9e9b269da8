using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Learning rate and weight decay of a group of parameters.</summary>
/// <param name="LearningRate">The rate that the schedule multiplies.</param>
/// <param name="WeightDecay">Decoupled decay per unit of learning rate.</param>
public sealed record GroupSettings(double LearningRate, double WeightDecay);

/// <summary>The published groups (model.md section 9) and their published settings.</summary>
public sealed record OptimizerGroups
{
    /// <summary>The adapter's weights.</summary>
    public GroupSettings AdapterDecay { get; init; } = new(5e-6, 0.2);

    /// <summary>The adapter's biases.</summary>
    public GroupSettings AdapterNoDecay { get; init; } = new(5e-6, 0);

    /// <summary>CLIP's biases; decayed all the same, as published.</summary>
    public GroupSettings ClipNoDecay { get; init; } = new(1e-7, 0.2);

    /// <summary>CLIP's weights, in full fine-tuning.</summary>
    public GroupSettings ClipDecay { get; init; } = new(1e-7, 0.2);

    /// <summary>The group of a parameter by its name.</summary>
    public GroupSettings Of(string name)
    {
        var bias = name.Contains("bias", StringComparison.Ordinal);
        return IsAdapter(name)
            ? bias ? AdapterNoDecay : AdapterDecay
            : bias ? ClipNoDecay : ClipDecay;
    }

    /// <summary>Whether the name is of what a method adds, not of CLIP.</summary>
    public static bool IsAdapter(string name) =>
        name.Contains("adapter", StringComparison.Ordinal) || name.Contains("prompt", StringComparison.Ordinal)
        || name.Contains("factor", StringComparison.Ordinal) || name.Contains("kronecker", StringComparison.Ordinal);
}

/// <summary>A parameter that an optimiser moves.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="Value">The leaf tensor, float32.</param>
/// <param name="Settings">Its group's settings.</param>
public sealed record TrainedParameter(string Name, Tensor Value, GroupSettings Settings);
