using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>
/// Feeds a model under construction from stored tensors, and says afterwards which names were missing, left over or
/// of another shape: all of them in one line.
/// </summary>
public sealed class CheckpointSource(
    string path, IReadOnlyDictionary<string, StoredTensor> tensors, Device device, DType precision = DType.Float32)
{
    private const int Listed = 5;
    private readonly List<string> missing = [];
    private readonly List<string> misshapen = [];
    private readonly HashSet<string> used = new(StringComparer.Ordinal);

    /// <summary>Gives the stored value in float32, or the weight of a product in the model's precision.</summary>
    public Tensor Take(string name, long[] shape, Func<long[], Tensor> initialize)
    {
        used.Add(name);
        if (!tensors.TryGetValue(name, out var stored)) missing.Add(name);
        else if (!stored.Shape.AsSpan().SequenceEqual(shape))
            misshapen.Add($"{name} is [{string.Join(", ", stored.Shape)}], not [{string.Join(", ", shape)}]");
        else return ToTensor(stored, ClipModel.IsProductWeight(name) ? precision : DType.Float32);
        // A placeholder of the shape, without its memory, which wrong settings can make vast: Finish throws.
        return Tensor.Zeros([.. shape.Select(_ => 1L)]).Expand(shape);
    }

    /// <summary>Refuses a checkpoint that does not fit the model it was read for.</summary>
    /// <exception cref="InvalidFileException">Missing, unknown or misshapen names.</exception>
    public void Finish(string model)
    {
        var unknown = tensors.Keys.Where(name => !used.Contains(name)).Order(StringComparer.Ordinal).ToList();
        var faults = new List<string>();
        if (misshapen.Count > 0) faults.Add(List("other shapes", misshapen));
        if (missing.Count > 0) faults.Add(List("missing names", missing));
        if (unknown.Count > 0) faults.Add(List("unknown names", unknown));
        if (faults.Count > 0) throw new InvalidFileException(path, $"does not fit {model}: {string.Join("; ", faults)}");
    }

    private Tensor ToTensor(StoredTensor stored, DType dtype)
    {
        using var scope = new TensorScope();
        return scope.Keep(Tensor.FromBytes(stored.Data.Span, stored.DType, stored.Shape).To(dtype).To(device));
    }

    private static string List(string what, List<string> names) =>
        $"{names.Count} {what} ({string.Join(", ", names.Take(Listed).Select(name => TextForMessage.Quote(name, 120)))}{(names.Count > Listed ? ", ..." : "")})";
}
