using System.Diagnostics.CodeAnalysis;
using MvAdapter.Torch;

namespace MvAdapter.Clip.Layers;

/// <summary>
/// The parameters of a model by name, in the order they were made. It owns the tensors: they outlive every
/// <see cref="TensorScope"/> and are freed with the set.
/// </summary>
public sealed class ParameterSet : IDisposable
{
    private readonly OrderedDictionary<string, Tensor> parameters = new(StringComparer.Ordinal);

    /// <summary>The names in the order they were added.</summary>
    public IEnumerable<string> Names => parameters.Keys;

    /// <summary>Names and tensors in the order they were added.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> Items => parameters;

    /// <summary>The number of parameters (tensors).</summary>
    public int Count => parameters.Count;

    /// <summary>The number of weights (elements of all tensors).</summary>
    public long ElementCount => parameters.Values.Sum(tensor => tensor.ElementCount);

    /// <summary>The parameter of that name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public Tensor this[string name] => parameters.TryGetValue(name, out var tensor) ? tensor
        : throw new KeyNotFoundException($"no parameter is called {name}");

    /// <summary>Looks for a parameter.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out Tensor? tensor) => parameters.TryGetValue(name, out tensor);

    /// <summary>Takes a tensor into the set, out of any scope.</summary>
    /// <exception cref="ArgumentException">The name is taken.</exception>
    public Tensor Add(string name, Tensor tensor)
    {
        parameters.Add(name, tensor.Unscoped());
        return tensor;
    }

    /// <summary>Frees all parameters.</summary>
    public void Dispose()
    {
        foreach (var tensor in parameters.Values) tensor.Dispose();
        parameters.Clear();
    }
}
