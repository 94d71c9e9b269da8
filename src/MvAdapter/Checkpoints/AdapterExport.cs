using System.Numerics.Tensors;
using MvAdapter.Adapters;
using MvAdapter.Checkpoints;

namespace MvAdapter;

/// <summary>What packing did to one tensor.</summary>
/// <param name="Name">The parameter.</param>
/// <param name="Elements">How many numbers it has.</param>
/// <param name="RelativeError">The largest change of a number, over the largest magnitude in the tensor.</param>
public sealed record PackedTensor(string Name, long Elements, double RelativeError);

/// <summary>An adapter that was packed.</summary>
/// <param name="From">How it was stored.</param>
/// <param name="To">How it is stored.</param>
/// <param name="BytesBefore">The size of its file.</param>
/// <param name="BytesAfter">The size of the packed file.</param>
/// <param name="Tensors">Its tensors, the most changed first.</param>
public sealed record AdapterExport(
    AdapterPrecision From, AdapterPrecision To, long BytesBefore, long BytesAfter, IReadOnlyList<PackedTensor> Tensors)
{
    /// <summary>Writes an adapter with narrower numbers. Whatever takes an adapter takes the packed file as well.</summary>
    /// <param name="path">A <c>.safetensors</c> of ours, or a published <c>.pth</c>.</param>
    /// <param name="output">The safetensors file to write; it is complete or not there at all.</param>
    /// <param name="precision">BFloat16 or Int8.</param>
    /// <param name="given">Settings for a file that carries none; null when there are none.</param>
    /// <exception cref="MvAdapterException">The file cannot be packed so; the line says why.</exception>
    public static AdapterExport Write(string path, string output, AdapterPrecision precision, MvAdapterConfig? given = null)
    {
        if (AdapterFile.IsPublishedForm(output))
            throw new UsageException($"{TextForMessage.Quote(output)}: the published form (.pth) is not packed; give a name that ends in .safetensors");
        if (Path.GetFullPath(path) == Path.GetFullPath(output))
            throw new UsageException($"{TextForMessage.Quote(output)} is the adapter itself, which packing cannot give back; choose another --output");
        var file = AdapterFile.Read(path, given);
        if (file.Precision >= precision)
            throw new UsageException($"{TextForMessage.Quote(path)} is stored as {file.Precision.ToName()} already, and {precision.ToName()} would give nothing back; export the adapter that it was made from");
        AdapterFile.Write(output, file.Method.Name, file.Settings, precision, file.Tensors, file.Metadata);
        var packed = AdapterFile.Read(output, given).Tensors;
        return new AdapterExport(file.Precision, precision, new FileInfo(path).Length, new FileInfo(output).Length,
            [.. file.Tensors.Select(item => Compare(item.Key, item.Value, packed[item.Key])).OrderByDescending(tensor => tensor.RelativeError)]);
    }

    private static PackedTensor Compare(string name, StoredTensor before, StoredTensor after)
    {
        var (expected, actual) = (before.ToFloats(), after.ToFloats());
        if (expected.Length == 0) return new PackedTensor(name, 0, 0);
        var largest = Math.Abs(TensorPrimitives.MaxMagnitude<float>(expected));
        TensorPrimitives.Subtract<float>(expected, actual, actual);
        return new PackedTensor(name, expected.Length, largest == 0 ? 0 : Math.Abs(TensorPrimitives.MaxMagnitude<float>(actual)) / largest);
    }
}
