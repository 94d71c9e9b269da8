using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter;

/// <summary>
/// Reads and writes what a task trains, under the names of the published checkpoints: the method's own parameters and
/// those of CLIP that train with it. <c>.safetensors</c> carries the settings and the backbone's identity in its metadata;
/// a published <c>.pth</c> carries none, so what the shapes do not tell comes from the caller.
/// </summary>
public static class AdapterCheckpoint
{
    /// <summary>The metadata key of the run that made an adapter: its config as YAML.</summary>
    public const string ConfigKey = "config";

    /// <summary>Reads an adapter for a CLIP and joins the two. The CLIP given stays as it is: the model shares its weights.</summary>
    /// <param name="path">A <c>.safetensors</c> of ours, packed or not, or a published <c>.pth</c>.</param>
    /// <param name="clip">The backbone that the adapter was trained on.</param>
    /// <param name="given">Settings for a file that carries none; null when there are none.</param>
    /// <exception cref="InvalidFileException">Damaged, for another CLIP, or in need of settings that were not given.</exception>
    public static RetrievalModel Load(string path, ClipModel clip, MvAdapterConfig? given = null)
    {
        var file = AdapterFile.Read(path, given);
        if (file.Method == MvAdapterMethod.Definition) AdapterShapes.CheckFits(path, file.Tensors, clip.Config);
        if (file.Backbone is { } backbone && backbone != clip.Identity)
            throw new InvalidFileException(path, $"the adapter was trained on another CLIP: on backbone {TextForMessage.Quote(backbone, 40)}, and this one is {clip.Identity}; name its own by --clip");

        var source = new CheckpointSource(path, file.Tensors, clip.LogitScale.Device);
        using var generator = new Generator(0);
        var method = file.Method.Create(clip.Config, file.Settings, source.Take, generator, path);
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
        AdapterFile.IsPublishedForm(path) ? new Dictionary<string, string>() : Safetensors.ReadMetadata(path);

    /// <summary>The identity of the CLIP that an adapter was trained on, as its file remembers it; null without a file, or where that does not say.</summary>
    public static string? BackboneOf(string? path) => path is not null && ReadMetadata(path).TryGetValue(AdapterFile.BackboneKey, out var identity) ? identity : null;

    /// <summary>Writes what trains; a name ending in <c>.pth</c> gives the published form, any other safetensors.</summary>
    /// <param name="path">The file; it is complete or not there at all.</param>
    /// <param name="model">The model whose adapter is written.</param>
    /// <param name="precision">How the numbers are stored; the published form holds float32 alone.</param>
    /// <param name="metadata">More to store beside method, settings and backbone (safetensors only).</param>
    /// <exception cref="UsageException">The published form is asked for what it is not made for.</exception>
    public static void Save(
        string path, RetrievalModel model, AdapterPrecision precision = AdapterPrecision.Float32, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var tensors = model.TrainableParameters().ToDictionary(item => item.Key, item => Store(item.Value), StringComparer.Ordinal);
        if (!path.EndsWith(".pth", StringComparison.OrdinalIgnoreCase))
        {
            AdapterFile.Write(path, model.Method.Name, model.Method.Settings, precision, tensors,
                (metadata ?? new Dictionary<string, string>()).Append(new(AdapterFile.BackboneKey, model.BackboneIdentity)));
            return;
        }
        if (precision != AdapterPrecision.Float32)
            throw new UsageException($"{TextForMessage.Quote(path)}: the published form (.pth) is not packed; give a name that ends in .safetensors");
        if (model.Method is not MvAdapterMethod { Config: { Temporal: true, Branches: AdaptedBranches.Both } })
            throw new UsageException($"{TextForMessage.Quote(path)}: the published form (.pth) carries no settings and holds a whole MV-Adapter alone; give {model.Method.Name} with these settings a name that ends in .safetensors");
        TorchArchive.Write(path, tensors.ToDictionary(item => AdapterFile.ToPublished(item.Key), item => item.Value, StringComparer.Ordinal));
    }

    private static StoredTensor Store(Tensor tensor)
    {
        using var scope = new TensorScope();
        return new StoredTensor(DType.Float32, [.. tensor.Shape], tensor.Detach().To(DType.Float32).ToBytes());
    }
}
