using System.Numerics.Tensors;
using MvAdapter.Checkpoints;
using MvAdapter.Torch;
using Tensor = MvAdapter.Torch.Tensor;

namespace MvAdapter;

/// <summary>What an adapter's tensors look like in a file of each precision.</summary>
internal static class AdapterPacking
{
    /// <summary>The metadata key of the precision; absent in files of float32.</summary>
    public const string Key = "packing";

    // No parameter's name has an @.
    private const string ScaleSuffix = "@scale";

    /// <summary>The tensors in a precision.</summary>
    /// <exception cref="MvAdapterException">A value is not finite.</exception>
    public static Dictionary<string, StoredTensor> Pack(IReadOnlyDictionary<string, StoredTensor> tensors, AdapterPrecision precision)
    {
        if (precision == AdapterPrecision.Float32) return new Dictionary<string, StoredTensor>(tensors, StringComparer.Ordinal);
        var packed = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            if (!tensor.DType.IsFloatingPoint())
            {
                packed[name] = tensor;
                continue;
            }
            if (!TensorPrimitives.IsFiniteAll<float>(tensor.ToFloats()))
                throw new MvAdapterException($"{TextForMessage.Quote(name, 120)} holds values that are not finite: the training went astray, so there is nothing to store");
            if (precision == AdapterPrecision.Int8 && Int8Packing.Suits(tensor))
                (packed[name], packed[name + ScaleSuffix]) = Int8Packing.Pack(tensor);
            else packed[name] = ToBFloat16(tensor);
        }
        return packed;
    }

    /// <summary>The tensors of a file as the model takes them.</summary>
    /// <exception cref="InvalidFileException">The packing is unknown, or the file damaged.</exception>
    public static IReadOnlyDictionary<string, StoredTensor> Unpack(string path, SafetensorsFile file)
    {
        if (Precision(path, file) != AdapterPrecision.Int8) return file.Tensors;
        var tensors = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in file.Tensors)
        {
            if (name.EndsWith(ScaleSuffix, StringComparison.Ordinal) && file.Tensors.TryGetValue(name[..^ScaleSuffix.Length], out var scaled) && scaled.DType == DType.Int8) continue;
            if (tensor.DType != DType.Int8) tensors[name] = tensor;
            else if (!file.Tensors.TryGetValue(name + ScaleSuffix, out var scales))
                throw new InvalidFileException(path, $"{TextForMessage.Quote(name, 120)} is packed but has no scales: the file is damaged; export it again");
            else tensors[name] = Int8Packing.Unpack(tensor, scales)
                ?? throw new InvalidFileException(path, $"the scales of {TextForMessage.Quote(name, 120)} [{string.Join(", ", tensor.Shape)}] should be one positive float32 a row, but are {scales.DType} [{string.Join(", ", scales.Shape)}] or not finite: the file is damaged; export it again");
        }
        return tensors;
    }

    /// <summary>The precision that a file says, or that all of its tensors have.</summary>
    /// <exception cref="InvalidFileException">This version does not know it.</exception>
    public static AdapterPrecision Precision(string path, SafetensorsFile file)
    {
        if (file.Metadata.TryGetValue(Key, out var name))
            return AdapterPrecisionNames.TryParse(name)
                ?? throw new InvalidFileException(path, $"is packed as '{TextForMessage.Quote(name, 40)}', which is not known here (bf16 and int8 are); a newer version may read it, or export it again");
        return file.Tensors.Count > 0 && file.Tensors.Values.All(tensor => tensor.DType.ElementSize() <= DType.BFloat16.ElementSize())
            ? AdapterPrecision.BFloat16
            : AdapterPrecision.Float32;
    }

    private static StoredTensor ToBFloat16(StoredTensor tensor)
    {
        using var scope = new TensorScope();
        return new StoredTensor(DType.BFloat16, tensor.Shape, Tensor.FromBytes(tensor.Data.Span, tensor.DType, tensor.Shape).To(DType.BFloat16).ToBytes());
    }
}
