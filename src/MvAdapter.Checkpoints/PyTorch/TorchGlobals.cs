using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>The Python names that PyTorch files mention for tensors, and what they mean here.</summary>
internal static class TorchGlobals
{
    private static readonly Dictionary<string, DType> Storages = new(StringComparer.Ordinal)
    {
        ["FloatStorage"] = DType.Float32,
        ["HalfStorage"] = DType.Float16,
        ["BFloat16Storage"] = DType.BFloat16,
        ["DoubleStorage"] = DType.Float64,
        ["LongStorage"] = DType.Int64,
        ["IntStorage"] = DType.Int32,
        ["ShortStorage"] = DType.Int16,
        ["CharStorage"] = DType.Int8,
        ["ByteStorage"] = DType.UInt8,
        ["BoolStorage"] = DType.Bool,
    };

    private static readonly PickleGlobal RebuildTensor = new("torch._utils", "_rebuild_tensor_v2", call: null);

    /// <summary>What a file may mention: tensors, parameters, containers, and the classes of a TorchScript module.</summary>
    public static PickleGlobals All { get; } = Make();

    /// <summary>The storage of a persistent id.</summary>
    public static object? Storage(object? id) =>
        id is object?[] and ["storage", PickleGlobal { Module: "torch" } type, string key, _, long count, ..] && Storages.TryGetValue(type.Name, out var dtype)
            ? new TorchStorage(key, dtype, count)
            : throw new PickleException("it refers to an object outside the pickle that is not a tensor's storage of a known type");

    /// <summary>What stands for a tensor in a file that we write.</summary>
    public static PickleCall Tensor(string key, StoredTensor tensor)
    {
        var type = new PickleGlobal("torch", Storages.Single(pair => pair.Value == tensor.DType).Key, call: null);
        var storage = new PicklePersistent(new object?[] { "storage", type, key, "cpu", tensor.ElementCount });
        return new PickleCall(RebuildTensor, storage, 0L, Tuple(tensor.Shape), Tuple(TorchTensor.RowMajorStrides(tensor.Shape)), false, new PickleOrderedDictionary([]));
    }

    private static PickleGlobals Make()
    {
        var globals = PickleGlobals.Containers()
            .Allow("torch._utils", "_rebuild_tensor", Rebuild)
            .Allow("torch._utils", "_rebuild_tensor_v2", Rebuild)
            .Allow("torch._utils", "_rebuild_parameter", First)
            .Allow("torch._utils", "_rebuild_parameter_with_state", First)
            .Allow("torch", "Size", First)
            .AllowClasses("__torch__");
        foreach (var name in Storages.Keys) globals.AllowName("torch", name);
        // TorchScript wraps a typed list so; the list itself is the argument.
        foreach (var kind in (string[])["int", "double", "bool", "tensor"]) globals.Allow("torch.jit._pickle", $"build_{kind}list", First);
        return globals.Allow("torch.jit._pickle", "restore_type_tag", First);
    }

    private static object Rebuild(object?[] arguments)
    {
        if (arguments is not [TorchStorage storage, long offset, object?[] shape, object?[] strides, ..])
            throw new PickleException("it describes a tensor in a way that is not PyTorch's");
        try
        {
            return new TorchTensor(storage, offset, Integers(shape), Integers(strides));
        }
        catch (ArgumentException exception)
        {
            throw new PickleException($"is damaged: {TextForMessage.Quote(exception.Message)}");
        }
    }

    private static long[] Integers(object?[] tuple) =>
        [.. tuple.Select(item => item as long? ?? throw new PickleException("it describes a tensor whose shape is not of integers"))];

    private static object?[] Tuple(long[] values) => [.. values.Select(value => (object?)value)];

    private static object? First(object?[] arguments) => arguments is [var first, ..]
        ? first
        : throw new PickleException("it makes a value out of nothing");
}
