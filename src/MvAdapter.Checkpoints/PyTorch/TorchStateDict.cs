namespace MvAdapter.Checkpoints;

/// <summary>Finds the named tensors in what the pickle of a PyTorch file holds.</summary>
internal static class TorchStateDict
{
    // Where training scripts put the weights when they save more than those.
    private static readonly string[] Nests = ["state_dict", "model_state_dict", "model"];

    // Far above any model; a file whose modules hold one another in circles, or many times over, ends here.
    private const int MaxAttributes = 1_000_000;
    private const int MaxNameLength = 2000;

    /// <summary>The tensors by their dotted names; empty when there are none.</summary>
    public static Dictionary<string, TorchTensor> Find(object? root)
    {
        var tensors = new Dictionary<string, TorchTensor>(StringComparer.Ordinal);
        if (root is PickleObject module) AddModule(module, tensors);
        else if (root is Dictionary<object, object?> dictionary) AddDictionary(Nested(dictionary), tensors);
        return tensors;
    }

    /// <summary>The integers that a TorchScript module carries as plain attributes.</summary>
    public static IEnumerable<KeyValuePair<string, long>> Integers(object? root)
    {
        if (root is not PickleObject { State: Dictionary<object, object?> attributes }) yield break;
        foreach (var (key, value) in attributes)
            if (key is string name && value is long integer) yield return new(name, integer);
    }

    private static Dictionary<object, object?> Nested(Dictionary<object, object?> dictionary) =>
        Nests.Select(name => dictionary.GetValueOrDefault(name)).OfType<Dictionary<object, object?>>().FirstOrDefault() ?? dictionary;

    private static void AddDictionary(Dictionary<object, object?> dictionary, Dictionary<string, TorchTensor> tensors)
    {
        foreach (var (key, value) in dictionary)
            if (key is string name && value is TorchTensor tensor) tensors[name] = tensor;
    }

    private static void AddModule(PickleObject root, Dictionary<string, TorchTensor> tensors)
    {
        var modules = new Stack<(string Prefix, PickleObject Module)>([("", root)]);
        var visited = 0;
        while (modules.TryPop(out var next))
        {
            if (next.Module.State is not Dictionary<object, object?> attributes) continue;
            foreach (var (key, value) in attributes)
            {
                if (++visited > MaxAttributes) throw new PickleException("its modules hold one another without end");
                if (key is not string attribute || value is not (TorchTensor or PickleObject)) continue;
                var name = next.Prefix + attribute;
                if (name.Length > MaxNameLength) throw new PickleException("its modules hold one another without end");
                if (value is TorchTensor tensor) tensors[name] = tensor;
                else if (value is PickleObject child) modules.Push((name + ".", child));
            }
        }
    }
}
