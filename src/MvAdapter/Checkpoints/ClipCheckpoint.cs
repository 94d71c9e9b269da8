using System.Globalization;
using System.Text.Json;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// Reads a CLIP: OpenAI's TorchScript <c>.pt</c>, a Hugging Face directory, or a single <c>.safetensors</c> of either
/// naming, in any floating type. The model's sizes come from the tensors' shapes.
/// </summary>
public static class ClipCheckpoint
{
    private static readonly string[] DirectoryFiles = ["model.safetensors", "pytorch_model.bin"];

    /// <summary>Reads a checkpoint into a model.</summary>
    /// <param name="path">A file or a Hugging Face directory.</param>
    /// <param name="device">Where the model will run; the CPU unless told otherwise.</param>
    /// <param name="precision">Float32, or BFloat16 to store the weights of products so and run them so.</param>
    /// <exception cref="InvalidFileException">Missing, damaged, or not a CLIP that this library runs.</exception>
    public static ClipModel Load(string path, Device? device = null, DType precision = DType.Float32)
    {
        var (tensors, heads) = Read(path);
        var config = InferConfig(path, tensors, heads);
        var source = new CheckpointSource(path, tensors, device ?? Device.Cpu, precision);
        using var generator = new Generator(0);
        var model = new ClipModel(config, source.Take, generator);
        try
        {
            source.Finish("CLIP");
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static (Dictionary<string, StoredTensor> Tensors, Heads Heads) Read(string path)
    {
        if (Directory.Exists(path))
        {
            var file = DirectoryFiles.Select(name => Path.Combine(path, name)).FirstOrDefault(File.Exists)
                ?? throw new InvalidFileException(path, $"the folder holds no {string.Join(" or ", DirectoryFiles)}");
            var (tensors, _) = ReadFile(file);
            return (tensors, HeadsOfDirectory(path));
        }
        var (fileTensors, heads) = ReadFile(path);
        // A single file of a Hugging Face model still has its config.json beside it as a rule.
        if (heads == default && Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && DirectoryFiles.Contains(Path.GetFileName(path)))
            heads = HeadsOfDirectory(folder);
        return (fileTensors, heads);
    }

    private static (Dictionary<string, StoredTensor> Tensors, Heads Heads) ReadFile(string path)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is ".pt" or ".pth" or ".bin")
            return (ClipNames.Normalize(TorchArchive.Read(path)), default);
        var file = Safetensors.Read(path);
        return (ClipNames.Normalize(file.Tensors), new Heads(Number("vision_heads"), Number("text_heads")));

        int? Number(string key) => file.Metadata.TryGetValue(key, out var text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0 ? value : null;
    }

    private static Heads HeadsOfDirectory(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        if (!File.Exists(path)) return default;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return new Heads(Branch(json.RootElement, "vision_config"), Branch(json.RootElement, "text_config"));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"not the configuration of a model ({TextForMessage.Quote(e.Message)})", e);
        }

        int? Branch(JsonElement root, string name)
        {
            if (!root.TryGetProperty(name, out var branch) || branch.ValueKind != JsonValueKind.Object) return null;
            if (branch.TryGetProperty("hidden_act", out var activation) && activation.GetString() is { } act and not "quick_gelu")
                throw new InvalidFileException(path, $"{name} uses the activation '{TextForMessage.Quote(act, 40)}'; only CLIP's quick_gelu is supported");
            return branch.TryGetProperty("num_attention_heads", out var heads) ? heads.GetInt32() : null;
        }
    }

    private static ClipConfig InferConfig(string path, Dictionary<string, StoredTensor> tensors, Heads heads)
    {
        var conv = Shape("visual.conv1.weight", 4);
        var positions = Shape("visual.positional_embedding", 2);
        var vision = Shape("visual.proj", 2);
        var token = Shape("token_embedding.weight", 2);
        var text = Shape("positional_embedding", 2);
        var grid = (long)Math.Round(Math.Sqrt(positions[0] - 1));
        if (grid * grid != positions[0] - 1 || grid < 1)
            throw new InvalidFileException(path, $"visual.positional_embedding has {positions[0]} rows, which is no square patch grid and a class token");
        if (conv[2] < 1 || conv[2] != conv[3] || conv[1] != 3)
            throw new InvalidFileException(path, $"visual.conv1.weight is [{string.Join(", ", conv)}], which is no square RGB patch");
        // Sizes of a hostile header could overflow an int; no real one comes near.
        foreach (var size in conv.Concat(positions).Concat(vision).Concat(token).Concat(text))
            if (size is < 1 or > 1 << 24) throw new InvalidFileException(path, $"a size of {size} is no CLIP's");
        var config = new ClipConfig(
            (int)vision[1], (int)(grid * conv[2]), (int)conv[2], (int)conv[0], Layers("visual.transformer.resblocks."),
            (int)token[1], Layers("transformer.resblocks."), (int)text[0], (int)token[0]);
        if (heads.Vision is { } v) config = config with { VisionHeads = v };
        if (heads.Text is { } t) config = config with { TextHeads = t };
        if (config.VisionWidth % config.VisionHeads != 0 || config.TextWidth % config.TextHeads != 0)
            throw new InvalidFileException(path, $"{config.VisionHeads} and {config.TextHeads} attention heads do not divide the widths {config.VisionWidth} and {config.TextWidth}");
        return config;

        long[] Shape(string name, int dimensions) => !tensors.TryGetValue(name, out var tensor)
            ? throw new InvalidFileException(path, $"holds no {name}, so it is no CLIP with a vision transformer{(tensors.Count == 0 ? "" : $" (it holds {TextForMessage.Quote(tensors.Keys.Min(StringComparer.Ordinal)!, 120)} ...)")}")
            : tensor.Shape.Length == dimensions ? tensor.Shape
            : throw new InvalidFileException(path, $"{name} has {tensor.Shape.Length} dimensions, not {dimensions}");

        int Layers(string prefix) => tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => name[prefix.Length..].Split('.')[0]).Distinct().Count();
    }

    private readonly record struct Heads(int? Vision, int? Text);
}
