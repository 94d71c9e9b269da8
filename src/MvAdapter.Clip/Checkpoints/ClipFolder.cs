
namespace MvAdapter.Clip;

/// <summary>The files of a CLIP in a folder: whose form they have, where the weights are, and what is written beside them.</summary>
internal static class ClipFolder
{
    private const string HuggingFaceConfig = "config.json";
    private const string OpenClipConfig = "open_clip_config.json";
    private const string IndexEnding = ".index.json";

    /// <summary>Weights of Hugging Face's form, whole or as the index of shards: the first that is there is taken.</summary>
    public static readonly string[] HuggingFaceWeights = ["model.safetensors", "model.safetensors" + IndexEnding, "pytorch_model.bin", "pytorch_model.bin" + IndexEnding];

    /// <summary>Weights of OpenCLIP's form.</summary>
    public static readonly string[] OpenClipWeights = ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"];

    /// <summary>The names of configurations; a folder of the hub may hold both.</summary>
    public static readonly string[] Configurations = [HuggingFaceConfig, OpenClipConfig];

    /// <summary>The names that weights may have, in the order in which they are looked for: first those of the form whose configuration is there.</summary>
    public static IEnumerable<string> WeightNames(string folder) =>
        File.Exists(Path.Combine(folder, OpenClipConfig)) && !HasHuggingFaceConfig(folder) ? [.. OpenClipWeights, .. HuggingFaceWeights] : [.. HuggingFaceWeights, .. OpenClipWeights];

    /// <summary>The weights' file, or the index of its shards.</summary>
    /// <exception cref="InvalidFileException">The folder holds none.</exception>
    public static string FindWeights(string folder) => TryFindWeights(folder)
        ?? throw new InvalidFileException(folder, $"the folder holds no {string.Join(", ", HuggingFaceWeights)}, {string.Join(" or ", OpenClipWeights)}");

    /// <summary>The same; null where there are none.</summary>
    public static string? TryFindWeights(string folder) => WeightNames(folder).Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>What the configuration of a weights' file says; null for a file of another name or without one.</summary>
    public static ClipDescription? Describe(string weights)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(weights))!;
        var (hub, open) = (Path.Combine(folder, HuggingFaceConfig), Path.Combine(folder, OpenClipConfig));
        var name = Path.GetFileName(weights);
        if (HuggingFaceWeights.Contains(name) && File.Exists(hub) && (HasHuggingFaceConfig(folder) || !File.Exists(open))) return ClipDescription.OfHuggingFace(hub, Path.Combine(folder, "preprocessor_config.json"));
        return HuggingFaceWeights.Concat(OpenClipWeights).Contains(name) && File.Exists(open) ? ClipDescription.OfOpenClip(open) : null;
    }

    // timm writes a config.json too, and a model.safetensors of one tower.
    private static bool HasHuggingFaceConfig(string folder) => Path.Combine(folder, HuggingFaceConfig) is var path && File.Exists(path)
        && JsonFields.Read(path, root => root.Has("model_type") || root.Has("vision_config"));

    /// <summary>Whether a file is the index of shards.</summary>
    public static bool IsIndex(string path) => path.EndsWith(IndexEnding, StringComparison.Ordinal);

    /// <summary>The files of an index of shards, each once.</summary>
    /// <exception cref="InvalidFileException">It is no index, or a shard is missing.</exception>
    public static IReadOnlyList<string> Shards(string index)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(index))!;
        var names = ShardNames(index);
        foreach (var name in names)
            if (!File.Exists(Path.Combine(folder, name))) throw new InvalidFileException(index, $"its shard {TextForMessage.Quote(name, 80)} is missing");
        return [.. names.Select(name => Path.Combine(folder, name))];
    }

    /// <summary>The names of the files of an index of shards, each once, whether they are there or not.</summary>
    /// <exception cref="InvalidFileException">It is no index.</exception>
    public static IReadOnlyList<string> ShardNames(string index)
    {
        List<string> names = JsonFields.Read(index, root => root.Object("weight_map") is { } map ? map.Texts() : throw root.Refuse("weight_map", "is missing"));
        if (names.Count == 0) throw new InvalidFileException(index, "names no shard");
        foreach (var name in names)
            if (name != Path.GetFileName(name) || name is "" or "." or "..") throw new InvalidFileException(index, $"names a shard '{TextForMessage.Quote(name, 80)}', which is no file of its folder");
        return names;
    }
}
