using System.Globalization;
using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>Gives the parameter of a name and shape its first value: drawn at random, or read from a checkpoint.</summary>
/// <param name="name">The full name.</param>
/// <param name="shape">The shape that the layer expects.</param>
/// <param name="initialize">How the layer would draw it.</param>
public delegate Tensor ParameterSource(string name, long[] shape, Func<long[], Tensor> initialize);

/// <summary>
/// Where a layer makes its parameters: a set, a prefix, and the source of their values. A layer's constructor
/// therefore states names, shapes and initialisation once, and serves a fresh model and a loaded one alike.
/// </summary>
public sealed class ParameterBuilder
{
    private readonly string prefix;
    private readonly ParameterSource source;

    /// <summary>A builder for the whole of a set.</summary>
    public ParameterBuilder(ParameterSet parameters, ParameterSource source, Generator generator) : this(parameters, source, generator, "") { }

    private ParameterBuilder(ParameterSet parameters, ParameterSource source, Generator generator, string prefix) =>
        (Parameters, this.source, Generator, this.prefix) = (parameters, source, generator, prefix);

    /// <summary>Values drawn as the layers say.</summary>
    public static ParameterSource Fresh => static (_, shape, initialize) => initialize(shape);

    /// <summary>The set that the parameters go to.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Where random values come from.</summary>
    public Generator Generator { get; }

    /// <summary>The builder for a part: its names begin with this one's, a dot between.</summary>
    public ParameterBuilder this[string part] => new(Parameters, source, Generator, $"{prefix}{part}.");

    /// <summary>The builder for a numbered part.</summary>
    public ParameterBuilder this[int part] => this[part.ToString(CultureInfo.InvariantCulture)];

    /// <summary>A parameter drawn by <paramref name="initialize"/> when the source is fresh.</summary>
    public Tensor Create(string name, long[] shape, Func<long[], Tensor> initialize) =>
        Parameters.Add(prefix + name, source(prefix + name, shape, initialize));

    /// <summary>A parameter that begins as zero.</summary>
    public Tensor Zeros(string name, params long[] shape) => Create(name, shape, static s => Tensor.Zeros(s));

    /// <summary>A parameter that begins as one.</summary>
    public Tensor Ones(string name, params long[] shape) => Create(name, shape, static s => Tensor.Ones(s));

    /// <summary>A parameter drawn from N(0, deviation).</summary>
    public Tensor Normal(string name, double deviation, params long[] shape) =>
        Create(name, shape, s => Tensor.RandN(s, Generator).MultiplyInPlace(deviation));

    /// <summary>A parameter drawn from the uniform distribution over [-bound, bound).</summary>
    public Tensor Uniform(string name, double bound, params long[] shape) =>
        Create(name, shape, s => (Tensor.Rand(s, Generator) - 0.5).MultiplyInPlace(2 * bound));
}
