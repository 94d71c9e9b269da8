namespace MvAdapter.Checkpoints;

/// <summary>A Python name that a pickle may mention, and what calling it does here (null: it cannot be called).</summary>
internal sealed class PickleGlobal(string module, string name, Func<object?[], object?>? call)
{
    public string Module { get; } = module;

    public string Name { get; } = name;

    public object? Call(object?[] arguments) => call is null
        ? throw new PickleException($"it calls {Quoted(Module, Name)}, which is no function here")
        : call(arguments);

    /// <summary>The name as messages show it.</summary>
    public static string Quoted(string module, string name) => TextForMessage.Quote($"{module}.{name}", 120);
}

/// <summary>An instance of a class whose code is not run: only its name and its state are kept.</summary>
internal sealed class PickleObject(string className)
{
    public string ClassName { get; } = className;

    /// <summary>What the pickle would have handed to the instance: as a rule a dictionary of its attributes.</summary>
    public object? State { get; set; }
}

/// <summary>
/// Compares dictionary keys by value, with hashes that a file cannot predict: many equal ones would make reading
/// take quadratic time.
/// </summary>
internal sealed class PickleKeyComparer : IEqualityComparer<object>
{
    public static PickleKeyComparer Instance { get; } = new();

    public new bool Equals(object? x, object? y) => object.Equals(x, y);

    public int GetHashCode(object obj) => obj switch
    {
        long value => HashCode.Combine((int)value, (int)(value >> 32)),
        double value => GetHashCode(BitConverter.DoubleToInt64Bits(value)),
        _ => obj.GetHashCode(),
    };
}
