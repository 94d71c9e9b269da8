using System.Globalization;
using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;

namespace MvAdapter;

/// <summary>
/// What the shapes of an adapter's tensors tell of its settings. Where a tied factor acts they do not tell: "down out"
/// and "up in" have the same names and shapes, and so have "down in" and "up out".
/// </summary>
internal static class AdapterShapes
{
    private const string Video = "visual.transformer.resblocks.";
    private const string Text = "transformer.resblocks.";
    private const string Up = ".mlp.adapter.up.weight";
    private static readonly string[] Paths = ["c", "p"];

    /// <summary>The settings of a file that carries none, with what cannot be inferred from <paramref name="given"/>.</summary>
    public static MvAdapterConfig Infer(string path, Dictionary<string, StoredTensor> tensors, MvAdapterConfig? given)
    {
        var config = given ?? new MvAdapterConfig();
        var layer = FirstLayer(path, tensors);
        string Name(string part) => $"{Video}{layer}.mlp.adapter.{part}";
        var bottleneck = Shape($"{Name("up.weight")}", 2)[1];
        var videoPositions = Shape(Name("positional_embedding"), 2)[0];
        var words = Shape($"{Text}{layer}.mlp.adapter.positional_embedding", 2)[0];
        var calibrate = Paths.Where(p => tensors.ContainsKey(Name($"conv_rf_{p}.a.weight"))).ToList();
        var tied = tensors.Keys.Where(key => key.StartsWith(Video, StringComparison.Ordinal) && key.EndsWith(".mlp.adapter.md_proj.weight", StringComparison.Ordinal))
            .Select(key => int.Parse(key[Video.Length..].Split('.')[0], CultureInfo.InvariantCulture)).Order().ToList();
        config = config with
        {
            Frames = (int)((videoPositions - 1) / 2),
            Words = (int)words,
            Bottleneck = (int)bottleneck,
            Calibrate = calibrate,
            // Without calibration nothing tells; the context token is in the file either way.
            ContextToken = calibrate.Count == 0 ? config.ContextToken : tensors.ContainsKey(Name($"conv_rf_{calibrate[0]}.g.weight")),
            LayerNormIn = tensors.ContainsKey(Name("ln_in.weight")),
            Kronecker = tensors.TryGetValue($"kronecker.{layer}.shared", out var shared) ? (int)shared.Shape[0] : 0,
            TiedLayers = tied,
        };
        if (tied.Count == 0) return config with { Tying = null };

        var outputs = Shape($"{Video}{tied[0]}.mlp.adapter.md_proj.weight", 2)[0];
        var along = outputs == bottleneck ? "'down out' or 'up in'" : "'down in' or 'up out'";
        if (given?.Tying is not { } tying)
            throw new InvalidFileException(path, $"a tied adapter without its settings: {along} have the same names and shapes; say which by --preset NAME or --adapter-config FILE.json");
        if ((tying.Down == tying.Out) != (outputs == bottleneck))
            throw new InvalidFileException(path, $"the shapes are of {along}, but the settings say '{tying}'");
        return config with { FactorDim = (int)Shape($"{Video}{tied[0]}.mlp.adapter.md_proj.weight", 2)[1] };

        long[] Shape(string name, int dimensions) => tensors.TryGetValue(name, out var tensor) && tensor.Shape.Length == dimensions ? tensor.Shape
            : throw new InvalidFileException(path, $"holds no {name} of {dimensions} dimensions, so it is no MV-Adapter");
    }

    /// <summary>Says plainly when the adapter was trained on a CLIP of another size.</summary>
    public static void CheckFits(string path, Dictionary<string, StoredTensor> tensors, ClipConfig clip)
    {
        Compare("vision", Video, clip.VisionWidth, clip.VisionLayers);
        Compare("text", Text, clip.TextWidth, clip.TextLayers);

        void Compare(string branch, string prefix, long width, int layers)
        {
            var shapes = tensors.Where(item => item.Key.StartsWith(prefix, StringComparison.Ordinal) && item.Key.EndsWith(Up, StringComparison.Ordinal))
                .Select(item => item.Value.Shape).ToList();
            if (shapes.Count == 0) return;   // not adapted
            Equal("width", shapes[0].FirstOrDefault(), width);
            Equal("layers", shapes.Count, layers);

            void Equal(string what, long adapter, long backbone)
            {
                if (adapter != backbone)
                    throw new InvalidFileException(path, $"the adapter was trained on another CLIP: its {branch} {what} is {adapter}, this one's is {backbone}");
            }
        }
    }

    private static int FirstLayer(string path, Dictionary<string, StoredTensor> tensors) => tensors.Keys
        .Where(key => key.StartsWith(Video, StringComparison.Ordinal) && key.EndsWith(Up, StringComparison.Ordinal))
        .Select(key => int.TryParse(key[Video.Length..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var layer) ? layer : int.MaxValue)
        .DefaultIfEmpty(int.MaxValue).Min() is var first && first < int.MaxValue ? first
        : throw new InvalidFileException(path, "holds no adapter of a video branch (visual.transformer.resblocks.N.mlp.adapter.*), so it is no MV-Adapter");
}
