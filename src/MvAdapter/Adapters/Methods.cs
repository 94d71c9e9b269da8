namespace MvAdapter.Adapters;

/// <summary>The one list of methods. A new method is a file in this folder and a line here.</summary>
public static class Methods
{
    /// <summary>All methods, the paper's own first.</summary>
    public static IReadOnlyList<MethodDefinition> All { get; } =
    [
        MvAdapterMethod.Definition,
        AdaptFormer.Definition,
        Convpass.Definition,
        StAdapter.Definition,
        Lora.Definition,
        BitFit.Definition,
        LinearProjections.Definition,
        FullFineTuning.Definition,
        SequentialTransformer.Definition,
        ZeroShot.Definition,
    ];

    /// <summary>The method of that name.</summary>
    /// <exception cref="UsageException">There is none; the line suggests the nearest.</exception>
    public static MethodDefinition Find(string name) => TryFind(name) ?? throw new UsageException(Unknown(name));

    /// <summary>The method of that name, or null.</summary>
    public static MethodDefinition? TryFind(string name) =>
        All.FirstOrDefault(method => method.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <summary>The line about a name that no method has.</summary>
    internal static string Unknown(string name)
    {
        var names = All.Select(method => method.Name).ToList();
        return $"unknown method '{TextForMessage.Quote(name, 60)}': did you mean {NearestName.Of(name, names)}? Known: {string.Join(", ", names)}";
    }
}
