using System.Globalization;
using System.Text;
using MvAdapter.Clip.Layers;
using MvAdapter.Video;

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

    /// <summary>OpenCLIP's ViT-H/14.</summary>
    public static ClipConfig ViTH14 { get; } = new(1024, 224, 14, 1280, 32, 1024, 24, 77, 49408) { VisionHeads = 16, Activation = ActivationFunction.Gelu };

    /// <summary>OpenCLIP's ViT-g/14.</summary>
    public static ClipConfig ViTg14 { get; } = ViTH14 with { VisionWidth = 1408, VisionLayers = 40, VisionMlpWidth = 6144 };

    /// <summary>OpenCLIP's ViT-bigG/14.</summary>
    public static ClipConfig ViTbigG14 { get; } = new(1280, 224, 14, 1664, 48, 1280, 32, 77, 49408)
    {
        VisionHeads = 16, VisionMlpWidth = 8192, Activation = ActivationFunction.Gelu,
    };

    /// <summary>The presets by name.</summary>
    public static IReadOnlyDictionary<string, ClipConfig> Presets { get; } = new Dictionary<string, ClipConfig>(StringComparer.OrdinalIgnoreCase)
    {
        ["ViT-B/32"] = ViTB32,
        ["ViT-B/16"] = ViTB16,
        ["ViT-L/14"] = ViTL14,
        ["ViT-H-14"] = ViTH14,
        ["ViT-g-14"] = ViTg14,
        ["ViT-bigG-14"] = ViTbigG14,
    };

    /// <summary>Attention heads of the vision transformer: one for every 64 of its width, unless a checkpoint says otherwise.</summary>
    public int VisionHeads { get; init; } = Math.Max(1, VisionWidth / HeadWidth);

    /// <summary>Attention heads of the text transformer.</summary>
    public int TextHeads { get; init; } = Math.Max(1, TextWidth / HeadWidth);

    /// <summary>The activation of the blocks of both towers.</summary>
    public ActivationFunction Activation { get; init; }

    /// <summary>The width between the layers of the vision transformer's MLPs.</summary>
    public int VisionMlpWidth { get; init; } = 4 * VisionWidth;

    /// <summary>The width between the layers of the text transformer's MLPs.</summary>
    public int TextMlpWidth { get; init; } = 4 * TextWidth;

    /// <summary>How pictures come in.</summary>
    public Preprocessing Preprocessing { get; init; } = Preprocessing.Clip;

    /// <summary>Patches along a side.</summary>
    public int Grid => ImageSize / PatchSize;

    /// <summary>Brings pictures to this CLIP's size in its way.</summary>
    public ImageProcessor CreateImageProcessor() => new(ImageSize, Preprocessing);

    /// <summary>The preset of that name.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static ClipConfig Preset(string name) => Presets.TryGetValue(name, out var config) ? config
        : throw new UsageException($"no CLIP is called '{TextForMessage.Quote(name)}'; known are {string.Join(", ", Presets.Keys)}");

    /// <summary>
    /// All that decides an embedding besides the weights; identities are hashes over it. What OpenAI's CLIPs have in common is not said,
    /// so that their identities are those of before there were others.
    /// </summary>
    private bool PrintMembers(StringBuilder builder)
    {
        builder.Append(CultureInfo.InvariantCulture, $"{nameof(EmbeddingWidth)} = {EmbeddingWidth}, {nameof(ImageSize)} = {ImageSize}, {nameof(PatchSize)} = {PatchSize}, ")
            .Append(CultureInfo.InvariantCulture, $"{nameof(VisionWidth)} = {VisionWidth}, {nameof(VisionLayers)} = {VisionLayers}, {nameof(TextWidth)} = {TextWidth}, ")
            .Append(CultureInfo.InvariantCulture, $"{nameof(TextLayers)} = {TextLayers}, {nameof(ContextLength)} = {ContextLength}, {nameof(VocabularySize)} = {VocabularySize}, ")
            .Append(CultureInfo.InvariantCulture, $"{nameof(VisionHeads)} = {VisionHeads}, {nameof(TextHeads)} = {TextHeads}, {nameof(Grid)} = {Grid}");
        if (Activation != ActivationFunction.QuickGelu) builder.Append(CultureInfo.InvariantCulture, $", {nameof(Activation)} = {Activation}");
        if (Preprocessing != Preprocessing.Clip) builder.Append(CultureInfo.InvariantCulture, $", {Preprocessing}");
        return true;
    }
}
