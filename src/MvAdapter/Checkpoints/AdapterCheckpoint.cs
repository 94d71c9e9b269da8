using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// Reads and writes what a task trains, under the names of the published checkpoints: the method's own parameters and
/// those of CLIP that train with it. <c>.safetensors</c> carries the settings in its metadata; a published
/// <c>.pth</c> carries none, so what the shapes do not tell comes from the caller.
/// </summary>
public static class AdapterCheckpoint
{
    /// <summary>The metadata key of the run that made an adapter: its config as YAML.</summary>
    public const string ConfigKey = "config";

    private const string Prefix = "clip.";
    private const string MethodKey = "method";
    private const string SettingsKey = "settings";
    private const string BackboneKey = "backbone";

    /// <summary>Reads an adapter for a CLIP and joins the two. The CLIP given stays as it is: the model shares its weights.</summary>
    /// <param name="path">A <c>.safetensors</c> of ours, or a published <c>.pth</c>.</param>
    /// <param name="clip">The backbone that the adapter was trained on.</param>
    /// <param name="given">Settings for a file that carries none; null when there are none.</param>
    /// <exception cref="InvalidFileException">Damaged, for another CLIP, or in need of settings that were not given.</exception>
    public static RetrievalModel Load(string path, ClipModel clip, MvAdapterConfig? given = null)
    {
        var (stored, metadata) = Read(path);
        var tensors = stored.ToDictionary(item => FromPublished(item.Key), item => item.Value, StringComparer.Ordinal);
        var definition = !metadata.TryGetValue(MethodKey, out var name) ? MvAdapterMethod.Definition
            : Methods.TryFind(name) ?? throw new InvalidFileException(path, $"{Methods.Unknown(name)}; a newer version may know it");
        if (!metadata.TryGetValue(SettingsKey, out var settings)) settings = AdapterShapes.Infer(path, tensors, given).ToJson();
        if (definition == MvAdapterMethod.Definition) AdapterShapes.CheckFits(path, tensors, clip.Config);
        if (metadata.TryGetValue(BackboneKey, out var backbone) && backbone != clip.Identity)
            throw new InvalidFileException(path, $"the adapter was trained on another CLIP: on backbone {TextForMessage.Quote(backbone, 40)}, and this one is {clip.Identity}; name its own by --clip");

        var source = new CheckpointSource(path, tensors, clip.LogitScale.Device);
        using var generator = new Generator(0);
        var method = definition.Create(clip.Config, settings, source.Take, generator, path);
        ClipModel? adapted = null;
        try
        {
            adapted = clip.Derive((parameter, tensor) => method.Trains(parameter)
                ? source.Take(parameter, [.. tensor.Shape], static shape => Tensor.Zeros(shape))
                : null);
            source.Finish("this CLIP and these settings");
            return new RetrievalModel(adapted, method, clip.Identity);
        }
        catch
        {
            adapted?.Dispose();
            method.Dispose();
            throw;
        }
    }

    /// <summary>What a file carries beside its tensors; nothing in the published form.</summary>
    /// <exception cref="InvalidFileException">The file is missing or damaged.</exception>
    public static IReadOnlyDictionary<string, string> ReadMetadata(string path) =>
        IsPublishedForm(path) ? new Dictionary<string, string>() : Safetensors.ReadMetadata(path);

    /// <summary>Writes what trains; a name ending in <c>.pth</c> gives the published form, any other safetensors.</summary>
    /// <param name="path">The file; it is complete or not there at all.</param>
    /// <param name="model">The model whose adapter is written.</param>
    /// <param name="dtype">Float32, or BFloat16 for half the size.</param>
    /// <param name="metadata">More to store beside method and settings (safetensors only).</param>
    /// <exception cref="UsageException">The published form is asked for a method that it is not made for.</exception>
    public static void Save(string path, RetrievalModel model, DType dtype = DType.Float32, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var tensors = model.TrainableParameters().ToDictionary(item => ToPublished(item.Key), item => Store(item.Value, dtype), StringComparer.Ordinal);
        if (path.EndsWith(".pth", StringComparison.OrdinalIgnoreCase))
        {
            if (model.Method is not MvAdapterMethod { Config: { Temporal: true, Branches: AdaptedBranches.Both } })
                throw new UsageException($"{TextForMessage.Quote(path)}: the published form (.pth) carries no settings and holds a whole MV-Adapter alone; give {model.Method.Name} with these settings a name that ends in .safetensors");
            TorchArchive.Write(path, tensors);
            return;
        }
        var all = new Dictionary<string, string>(metadata ?? new Dictionary<string, string>(), StringComparer.Ordinal)
        {
            [MethodKey] = model.Method.Name,
            [SettingsKey] = model.Method.Settings,
            [BackboneKey] = model.BackboneIdentity,
        };
        Safetensors.Write(path, tensors, all);
    }

    /// <summary><c>visual...ln_1.bias</c> becomes <c>clip.visual...attn.ln.bias</c>.</summary>
    internal static string ToPublished(string name) => Prefix + Swap(name, (".ln_1.", ".attn.ln."), (".ln_2.", ".mlp.ln."));

    /// <summary>The other way.</summary>
    internal static string FromPublished(string name) =>
        Swap(name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name, (".attn.ln.", ".ln_1."), (".mlp.ln.", ".ln_2."));

    // The adapter's inner block keeps its own ln_1 and ln_2 in both namings.
    private static string Swap(string name, params (string From, string To)[] pairs)
    {
        if (name.Contains(".adapter.", StringComparison.Ordinal)) return name;
        foreach (var (from, to) in pairs) name = name.Replace(from, to, StringComparison.Ordinal);
        return name;
    }

    private static (IReadOnlyDictionary<string, StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata) Read(string path)
    {
        if (IsPublishedForm(path)) return (TorchArchive.Read(path), new Dictionary<string, string>());
        var file = Safetensors.Read(path);
        return (file.Tensors, file.Metadata);
    }

    private static bool IsPublishedForm(string path) => Path.GetExtension(path).ToLowerInvariant() is ".pt" or ".pth" or ".bin";

    private static StoredTensor Store(Tensor tensor, DType dtype)
    {
        using var scope = new TensorScope();
        return new StoredTensor(dtype, [.. tensor.Shape], tensor.Detach().To(dtype).ToBytes());
    }
}
