namespace MvAdapter.Clip;

/// <summary>The sizes of a CLIP model. Presets are the published ones; a checkpoint's own sizes come from its tensors.</summary>
/// <param name="EmbeddingWidth">Width E of the joint embedding.</param>
/// <param name="ImageSize">Side of the square input, pixels.</param>
/// <param name="PatchSize">Side of a patch, pixels.</param>
/// <param name="VisionWidth">Width of the vision transformer.</param>
/// <param name="VisionLayers">Blocks of the vision transformer.</param>
/// <param name="TextWidth">Width of the text transformer.</param>
/// <param name="TextLayers">Blocks of the text transformer.</param>
/// <param name="ContextLength">Most tokens of a text.</param>
/// <param name="VocabularySize">Tokens of the vocabulary.</param>
public sealed record ClipConfig(
    int EmbeddingWidth, int ImageSize, int PatchSize, int VisionWidth, int VisionLayers,
    int TextWidth, int TextLayers, int ContextLength, int VocabularySize)
{
    private const int HeadWidth = 64;

    /// <summary>OpenAI's ViT-B/32.</summary>
    public static ClipConfig ViTB32 { get; } = new(512, 224, 32, 768, 12, 512, 12, 77, 49408);

    /// <summary>OpenAI's ViT-B/16.</summary>
    public static ClipConfig ViTB16 { get; } = ViTB32 with { PatchSize = 16 };

    /// <summary>OpenAI's ViT-L/14.</summary>
    public static ClipConfig ViTL14 { get; } = new(768, 224, 14, 1024, 24, 768, 12, 77, 49408);

    /// <summary>The presets by name.</summary>
    public static IReadOnlyDictionary<string, ClipConfig> Presets { get; } = new Dictionary<string, ClipConfig>(StringComparer.OrdinalIgnoreCase)
    {
        ["ViT-B/32"] = ViTB32,
        ["ViT-B/16"] = ViTB16,
        ["ViT-L/14"] = ViTL14,
    };

    /// <summary>Attention heads of the vision transformer: one for every 64 of its width, unless a checkpoint says otherwise.</summary>
    public int VisionHeads { get; init; } = Math.Max(1, VisionWidth / HeadWidth);

    /// <summary>Attention heads of the text transformer.</summary>
    public int TextHeads { get; init; } = Math.Max(1, TextWidth / HeadWidth);

    /// <summary>Patches along a side.</summary>
    public int Grid => ImageSize / PatchSize;

    /// <summary>The preset of that name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static ClipConfig Preset(string name) => Presets.TryGetValue(name, out var config) ? config
        : throw new UsageException($"no CLIP is called '{TextForMessage.Quote(name)}'; known are {string.Join(", ", Presets.Keys)}");
}
