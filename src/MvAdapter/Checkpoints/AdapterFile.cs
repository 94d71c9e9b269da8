using MvAdapter.Adapters;
using MvAdapter.Checkpoints;

namespace MvAdapter;

/// <summary>What an adapter's file holds, whatever its form: unpacked tensors under the model's names.</summary>
internal sealed record AdapterFile(
    MethodDefinition Method, string Settings, AdapterPrecision Precision,
    Dictionary<string, StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    public const string MethodKey = "method";
    public const string SettingsKey = "settings";
    public const string BackboneKey = "backbone";

    private const string Prefix = "clip.";

    /// <summary>The identity of the backbone that it was trained on; null where the file does not say.</summary>
    public string? Backbone => Metadata.GetValueOrDefault(BackboneKey);

    /// <summary>Reads a file.</summary>
    /// <param name="path">A <c>.safetensors</c> of ours, packed or not, or a published <c>.pth</c>.</param>
    /// <param name="given">Settings for a file that carries none; null when there are none.</param>
    /// <exception cref="InvalidFileException">Damaged, unknown, or in need of settings that were not given.</exception>
    public static AdapterFile Read(string path, MvAdapterConfig? given)
    {
        var file = IsPublishedForm(path)
            ? new SafetensorsFile(TorchArchive.Read(path), new Dictionary<string, string>())
            : Safetensors.Read(path);
        var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in AdapterPacking.Unpack(path, file))
            if (!tensors.TryAdd(FromPublished(name), tensor)) throw new InvalidFileException(path, $"holds {TextForMessage.Quote(name, 120)} twice, with and without '{Prefix}'");
        var definition = !file.Metadata.TryGetValue(MethodKey, out var method) ? MvAdapterMethod.Definition
            : Methods.TryFind(method) ?? throw new InvalidFileException(path, $"{Methods.Unknown(method)}; a newer version may know it");
        if (!file.Metadata.TryGetValue(SettingsKey, out var settings)) settings = AdapterShapes.Infer(path, tensors, given).ToJson();
        return new AdapterFile(definition, settings, AdapterPacking.Precision(path, file), tensors, file.Metadata);
    }

    /// <summary>Writes tensors under the model's names with what must be known to read them.</summary>
    public static void Write(string path, string method, string settings, AdapterPrecision precision,
        IReadOnlyDictionary<string, StoredTensor> tensors, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        var all = new Dictionary<string, string>(metadata, StringComparer.Ordinal) { [MethodKey] = method, [SettingsKey] = settings };
        if (precision != AdapterPrecision.Float32) all[AdapterPacking.Key] = precision.ToName();
        var published = tensors.ToDictionary(item => ToPublished(item.Key), item => item.Value, StringComparer.Ordinal);
        Safetensors.Write(path, AdapterPacking.Pack(published, precision), all);
    }

    /// <summary>Whether a name is of the published form, which carries no metadata.</summary>
    public static bool IsPublishedForm(string path) => Path.GetExtension(path).ToLowerInvariant() is ".pt" or ".pth" or ".bin";

    /// <summary><c>visual...ln_1.bias</c> becomes <c>clip.visual...attn.ln.bias</c>.</summary>
    public static string ToPublished(string name) => Prefix + Swap(name, (".ln_1.", ".attn.ln."), (".ln_2.", ".mlp.ln."));

    /// <summary>The other way.</summary>
    public static string FromPublished(string name) =>
        Swap(name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name, (".attn.ln.", ".ln_1."), (".mlp.ln.", ".ln_2."));

    // The adapter's inner block keeps its own ln_1 and ln_2 in both namings.
    private static string Swap(string name, params (string From, string To)[] pairs)
    {
        if (name.Contains(".adapter.", StringComparison.Ordinal)) return name;
        foreach (var (from, to) in pairs) name = name.Replace(from, to, StringComparison.Ordinal);
        return name;
    }
}
