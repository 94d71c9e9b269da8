using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>MV-Adapter with one part taken away or varied, as its paper's tables have it.</summary>
public static class Ablations
{
    private const string Method = "mv-adapter";

    private static readonly (string Name, string Settings)[] Parts =
    [
        ("no temporal modelling", "temporal=off"),
        ("no calibration", "calibrate=[]"),
        ("no tying", "tying=none"),
        ("Kronecker interaction for tying", "kronecker=4,tying=none"),
        ("last layer tied", "tied_layers=[-1]"),
        ("last 3 layers tied", "tied_layers=[-3,-2,-1]"),
        ("last 4 layers tied", "tied_layers=[-4,-3,-2,-1]"),
        ("bottleneck 16", "bottleneck=16"),
        ("bottleneck 32", "bottleneck=32"),
        ("bottleneck 64", "bottleneck=64"),
        ("bottleneck 128", "bottleneck=128"),
        ("bottleneck 256", "bottleneck=256"),
        ("video branch only", "branches=video"),
        ("text branch only", "branches=text"),
    ];

    /// <summary>The whole MV-Adapter and each of its ablations, at the rates of a config.</summary>
    public static IReadOnlyList<ComparisonRow> Rows(RunConfig basis) =>
    [
        ComparisonRow.Parse(Method, basis),
        .. Parts.Select(part => ComparisonRow.Parse($"{Method}:{part.Settings}", basis, $"{Method}, {part.Name}")),
    ];
}
