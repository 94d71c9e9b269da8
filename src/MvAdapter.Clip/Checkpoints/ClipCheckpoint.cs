using System.Globalization;
using MvAdapter.Checkpoints;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>
/// Reads a CLIP: OpenAI's TorchScript <c>.pt</c>, a folder of Hugging Face's or OpenCLIP's form, in shards too, or a single file of their
/// names, in any floating type. The model's sizes come from the tensors' shapes, all else from the configuration beside them.
/// </summary>
public static class ClipCheckpoint
{
    private const int HeadWidth = 64;
    private const int WidestOfSuchHeads = 1024;   // above it the common models have heads of 80, 88 and 104

    /// <summary>Reads a checkpoint into a model.</summary>
    /// <param name="path">A file or a folder.</param>
    /// <param name="device">Where the model will run; the CPU unless told otherwise.</param>
    /// <param name="precision">Float32, or BFloat16 to store the weights of products so and run them so.</param>
    /// <param name="activation">The activation of the blocks, for files that do not say it.</param>
    /// <param name="identity">The identity that the model is known to have (<see cref="ClipModel.Identity"/>): it too settles the activation.</param>
    /// <exception cref="InvalidFileException">Missing, damaged, or not a CLIP that this library runs; or nothing says its activation.</exception>
    public static ClipModel Load(
        string path, Device? device = null, DType precision = DType.Float32, ActivationFunction? activation = null, string? identity = null)
    {
        var (tensors, description) = Read(path);
        if (activation is { } asked && description.Activation is { } said && asked != said)
            throw new InvalidFileException(path, $"its activation is {Activation.Name(said)} by its own configuration, not {Activation.Name(asked)}; leave out --activation");
        var settled = description.Activation ?? activation;
        var config = InferConfig(path, tensors, description) with { Activation = settled ?? default, Preprocessing = description.Preprocessing };
        var source = new CheckpointSource(path, tensors, device ?? Device.Cpu, precision);
        using var generator = new Generator(0);
        var model = new ClipModel(config, source.Take, generator);
        try
        {
            source.Finish("CLIP");
            if (settled is not null) return model;
            return identity is null ? throw Unsaid(path) : ByIdentity(path, model, identity);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>The form of a checkpoint's files.</summary>
    /// <exception cref="InvalidFileException">There are no files, or they are none that this library reads.</exception>
    public static ClipForm FormOf(string path)
    {
        var file = Directory.Exists(path) ? ClipFolder.FindWeights(path) : path;
        return ClipFolder.Describe(file)?.Form ?? ClipForm.OpenAI;
    }

    // The activation with which the weights are the model that somebody remembers.
    private static ClipModel ByIdentity(string path, ClipModel model, string identity)
    {
        foreach (var activation in Enum.GetValues<ActivationFunction>())
        {
            var other = model.With(activation);
            if (other.Identity == identity)
            {
                model.Dispose();
                return other;
            }
            other.Dispose();
        }
        throw Unsaid(path);
    }

    private static InvalidFileException Unsaid(string path) => new(path,
        "nothing says which activation its blocks have, and the wrong one gives plausible wrong embeddings: give --activation quick_gelu (OpenAI's) or --activation gelu (most others)");

    private static (Dictionary<string, StoredTensor> Tensors, ClipDescription Description) Read(string path)
    {
        var file = Directory.Exists(path) ? ClipFolder.FindWeights(path) : path;
        var described = ClipFolder.Describe(file);
        var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        IReadOnlyDictionary<string, string> metadata = new Dictionary<string, string>();
        foreach (var part in ClipFolder.IsIndex(file) ? ClipFolder.Shards(file) : [file])
        {
            (var more, metadata) = ReadFile(part);
            foreach (var (name, tensor) in more)
                if (!tensors.TryAdd(name, tensor)) throw new InvalidFileException(part, $"holds {TextForMessage.Quote(name, 120)}, which another shard holds too");
        }
        RefuseOtherFamilies(path, tensors);
        return (ClipNames.Normalize(tensors), described ?? OfFile(tensors, metadata));
    }

    private static (IReadOnlyDictionary<string, StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata) ReadFile(string path)
    {
        if (Path.GetExtension(path).ToLowerInvariant() is ".pt" or ".pth" or ".bin") return (TorchArchive.Read(path), new Dictionary<string, string>());
        var file = Safetensors.Read(path);
        return (file.Tensors, file.Metadata);
    }

    // A single file says its activation if it is OpenAI's own, whose modules have three integers among their tensors, or by its metadata:
    // activation, or the heads, which are written beside OpenAI's weights alone.
    private static ClipDescription OfFile(Dictionary<string, StoredTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var heads = (Vision: Number("vision_heads"), Text: Number("text_heads"));
        return new ClipDescription(ClipForm.OpenAI)
        {
            Activation = metadata.TryGetValue("activation", out var name) ? Activation.Parse(name)
                : tensors.ContainsKey("input_resolution") || heads.Vision is not null ? ActivationFunction.QuickGelu : null,
            VisionHeads = heads.Vision,
            TextHeads = heads.Text,
        };

        int? Number(string key) => metadata.TryGetValue(key, out var text)
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0 ? value : null;
    }

    private static void RefuseOtherFamilies(string path, Dictionary<string, StoredTensor> tensors)
    {
        foreach (var (prefix, what) in new[]
        {
            ("visual.trunk.", "its vision tower is timm's"), ("visual.layer1.", "its vision tower is a ResNet"), ("logit_bias", "a bias beside logit_scale makes it a SigLIP"),
            ("text.transformer.embeddings.", "its text tower is another language model"), ("vision_model.head.", "its pooling by attention makes it a SigLIP"),
        })
        {
            if (tensors.Keys.FirstOrDefault(name => name.StartsWith(prefix, StringComparison.Ordinal)) is { } name)
                throw new InvalidFileException(path, $"holds {TextForMessage.Quote(name, 80)}: {what}; supported are CLIPs with two transformers, a class token and a causal mask");
        }
    }

    private static ClipConfig InferConfig(string path, Dictionary<string, StoredTensor> tensors, ClipDescription description)
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
        foreach (var size in conv.Concat(positions).Concat(vision).Concat(token).Concat(text).Append(MlpWidth("visual.transformer", 1)).Append(MlpWidth("transformer", 1)))
            if (size is < 1 or > 1 << 24) throw new InvalidFileException(path, $"a size of {size} is no CLIP's");
        var config = new ClipConfig(
            (int)vision[1], (int)(grid * conv[2]), (int)conv[2], (int)conv[0], Layers("visual.transformer.resblocks."),
            (int)token[1], Layers("transformer.resblocks."), (int)text[0], (int)token[0])
        {
            VisionMlpWidth = (int)MlpWidth("visual.transformer", 4 * conv[0]),
            TextMlpWidth = (int)MlpWidth("transformer", 4 * token[1]),
        };
        // A side that no patch divides is cut: 378 pixels in patches of 14 are 27 of them, 384 too.
        if (description.ImageSize is { } side && side / conv[2] != grid)
            throw new InvalidFileException(path, $"its configuration says {side} pixels, its weights {grid} patches of {conv[2]} along a side");
        if (description.ImageSize is { } whole) config = config with { ImageSize = whole };
        config = config with { VisionHeads = description.VisionHeads ?? Heads(config.VisionWidth), TextHeads = description.TextHeads ?? Heads(config.TextWidth) };
        if (config.VisionWidth % config.VisionHeads != 0 || config.TextWidth % config.TextHeads != 0)
            throw new InvalidFileException(path, $"{config.VisionHeads} and {config.TextHeads} attention heads do not divide the widths {config.VisionWidth} and {config.TextWidth}");
        return config;

        long[] Shape(string name, int dimensions) => !tensors.TryGetValue(name, out var tensor)
            ? throw new InvalidFileException(path, $"holds no {name}, so it is no CLIP with a vision transformer{(tensors.Count == 0 ? "" : $" (it holds {TextForMessage.Quote(tensors.Keys.Min(StringComparer.Ordinal)!, 120)} ...)")}")
            : tensor.Shape.Length == dimensions ? tensor.Shape
            : throw new InvalidFileException(path, $"{name} has {tensor.Shape.Length} dimensions, not {dimensions}");

        long MlpWidth(string tower, long usual) => tensors.TryGetValue($"{tower}.resblocks.0.mlp.c_fc.weight", out var weight) && weight.Shape is [var rows, _] ? rows : usual;

        int Layers(string prefix) => tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => name[prefix.Length..].Split('.')[0]).Distinct().Count();

        int Heads(int width) => width <= WidestOfSuchHeads ? Math.Max(1, width / HeadWidth)
            : throw new InvalidFileException(path, $"nothing says how many attention heads a tower {width} wide has; the model's configuration must lie beside the weights");
    }
}
