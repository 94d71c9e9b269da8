using System.Text.Json.Serialization;

namespace MvAdapter.Adapters;

/// <summary>The branches of CLIP that a method adapts.</summary>
public enum AdaptedBranches
{
    /// <summary>Video and text.</summary>
    Both,

    /// <summary>Video alone.</summary>
    Video,

    /// <summary>Text alone: embeddings of videos stay those of zero-shot CLIP.</summary>
    Text,
}

/// <summary>The hyper-parameters of MV-Adapter. Presets are the published settings of the five benchmarks.</summary>
public sealed record MvAdapterConfig
{
    /// <summary>Most frames of a video; the positional embedding has 2 F + 1 rows.</summary>
    public int Frames { get; init; } = 12;

    /// <summary>Most tokens of a caption, start and end included.</summary>
    public int Words { get; init; } = 32;

    /// <summary>Bottleneck width m.</summary>
    public int Bottleneck { get; init; } = 64;

    /// <summary>Attention heads of the inner block.</summary>
    public int Heads { get; init; } = 2;

    /// <summary>Length of the tied factor s.</summary>
    public int FactorDim { get; init; } = 32;

    /// <summary>Factor on the adapter's output.</summary>
    public double Scale { get; init; } = 0.1;

    /// <summary>Where the tied factor acts; null for no tying.</summary>
    public Tying? Tying { get; init; } = new(Down: true, Out: true);

    /// <summary>The layers whose branches share a factor, counted from 0, or from the last as -1.</summary>
    public IReadOnlyList<int> TiedLayers { get; init; } = [-2, -1];

    /// <summary>Blocks in the Kronecker product of the paper's first version; 0 for none.</summary>
    public int Kronecker { get; init; }

    /// <summary>Which paths are calibrated: "c" the class tokens, "p" the patches.</summary>
    public IReadOnlyList<string> Calibrate { get; init; } = ["c"];

    /// <summary>LayerNorm on the adapter's input.</summary>
    [JsonPropertyName("layernorm_in")]
    public bool LayerNormIn { get; init; }

    /// <summary>Whether the temporal sequence begins with the learned context token cc.</summary>
    public bool ContextToken { get; init; } = true;

    /// <summary>Whether frames see each other; without, the video adapter is a plain bottleneck and calibrates nothing.</summary>
    public bool Temporal { get; init; } = true;

    /// <summary>The branches that are adapted; the other stays zero-shot CLIP, its biases too.</summary>
    public AdaptedBranches Branches { get; init; } = AdaptedBranches.Both;

    /// <summary>The published settings by benchmark.</summary>
    public static IReadOnlyDictionary<string, MvAdapterConfig> Presets { get; } = new Dictionary<string, MvAdapterConfig>(StringComparer.OrdinalIgnoreCase)
    {
        ["msrvtt"] = new() { Tying = Adapters.Tying.Parse("down out"), TiedLayers = [10, 11] },
        ["msvd"] = new() { Tying = Adapters.Tying.Parse("down in"), TiedLayers = [10, 11] },
        ["lsmdc"] = new() { Tying = Adapters.Tying.Parse("down in"), TiedLayers = [9, 10, 11] },
        ["didemo"] = new() { Frames = 32, Words = 64, Tying = Adapters.Tying.Parse("down out"), TiedLayers = [10, 11] },
        ["activitynet"] = new() { Frames = 32, Words = 64, Tying = Adapters.Tying.Parse("down in"), TiedLayers = [11], LayerNormIn = true },
    };

    /// <summary>The preset of that name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static MvAdapterConfig Preset(string name) => Presets.TryGetValue(name, out var config) ? config
        : throw new UsageException($"no preset is called '{TextForMessage.Quote(name)}'; known are {string.Join(", ", Presets.Keys)}");

    /// <summary>Reads the fields of a JSON object, such as <c>{"frames": 12, "tying": "down out"}</c>; other keys are ignored.</summary>
    /// <exception cref="MvAdapterException">The text is no JSON, or a field has another type.</exception>
    public static MvAdapterConfig FromJson(string text, string origin) => SettingsJson.Read<MvAdapterConfig>(text, origin);

    /// <summary>All fields as one JSON object, which <see cref="FromJson"/> reads.</summary>
    public string ToJson() => SettingsJson.Write(this);

    /// <summary>
    /// The same settings for a model of so many layers: the tied layers counted from 0; none without tying, or where one
    /// branch alone is adapted.
    /// </summary>
    public MvAdapterConfig For(int layers) => this with
    {
        TiedLayers = Tying is null || Branches != AdaptedBranches.Both ? []
            : [.. TiedLayers.Select(layer => layer < 0 ? Math.Max(0, layer + layers) : layer).Distinct().Order()],
    };

    /// <summary>Refuses what no model can have.</summary>
    /// <exception cref="MvAdapterException">The line says which field and why.</exception>
    public void Validate(int layers)
    {
        Setting.RequireWidth("frames", Frames);
        Setting.RequireWidth("words", Words);
        Setting.RequireWidth("bottleneck", Bottleneck);
        Setting.RequireWidth("factor_dim", FactorDim);
        Setting.Require(Heads > 0 && Bottleneck % Heads == 0, $"heads ({Heads}) must divide bottleneck ({Bottleneck})");
        Setting.RequireWithin("kronecker", Kronecker, 0, Bottleneck);
        Setting.Require(Calibrate.All(path => path is "c" or "p"), "calibrate lists 'c' (class tokens) and 'p' (patches)");
        Setting.Require(TiedLayers.All(layer => layer >= 0 && layer < layers), $"tied_layers must lie within 0 to {layers - 1}");
        Setting.Require(Kronecker == 0 || Tying is not { Down: true } || TiedLayers.Count == 0,
            "kronecker makes the down weight, so tying must be 'up in', 'up out' or null");
        Setting.Require(Branches == AdaptedBranches.Both || Kronecker == 0, "kronecker joins two branches, but one alone is adapted");
    }
}
