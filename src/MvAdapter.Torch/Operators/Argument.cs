namespace MvAdapter.Torch;

/// <summary>
/// One argument of an operator. Made by implicit conversion from what operators take: tensors, numbers,
/// sizes, dtypes, devices, lists; null is None, and <see cref="Default"/> leaves it to the operator's schema.
/// </summary>
public readonly struct Argument
{
    internal readonly ValueTag Tag;
    internal readonly long Integer;
    internal readonly double Number;
    internal readonly object? Reference;

    private Argument(ValueTag tag, long integer = 0, double number = 0, object? reference = null) =>
        (Tag, Integer, Number, Reference) = (tag, integer, number, reference);

    /// <summary>What the operator's schema says.</summary>
    public static Argument Default => default;

    /// <summary>No value, where the operator allows that.</summary>
    public static Argument None => new(ValueTag.None);

    /// <summary>A tensor, or None for null.</summary>
    public static implicit operator Argument(Tensor? tensor) => tensor is null ? None : new(ValueTag.Tensor, reference: tensor);
    /// <summary>An integer.</summary>
    public static implicit operator Argument(long value) => new(ValueTag.Int, value);
    /// <summary>A number.</summary>
    public static implicit operator Argument(double value) => new(ValueTag.Double, number: value);
    /// <summary>A truth value.</summary>
    public static implicit operator Argument(bool value) => new(ValueTag.Bool, value ? 1 : 0);
    /// <summary>Sizes, strides or dimensions.</summary>
    public static implicit operator Argument(long[] values) => new(ValueTag.IntList, reference: values);
    /// <summary>A list of numbers.</summary>
    public static implicit operator Argument(double[] values) => new(ValueTag.DoubleList, reference: values);
    /// <summary>A list of tensors, where a null entry is None.</summary>
    public static implicit operator Argument(Tensor?[] tensors) => new(ValueTag.TensorList, reference: tensors);
    /// <summary>A text.</summary>
    public static implicit operator Argument(string text) => new(ValueTag.String, reference: text);
    /// <summary>An element type.</summary>
    public static implicit operator Argument(DType dtype) => new(ValueTag.Int, (long)dtype);
    /// <summary>An element type, or None.</summary>
    public static implicit operator Argument(DType? dtype) => dtype is { } value ? value : None;
    /// <summary>A device.</summary>
    public static implicit operator Argument(Device device) => new(ValueTag.Device, device.Packed);
    /// <summary>A device, or None.</summary>
    public static implicit operator Argument(Device? device) => device is { } value ? value : None;
    /// <summary>A source of random numbers, or None for the device's own.</summary>
    public static implicit operator Argument(Generator? generator) =>
        generator is null ? None : new(ValueTag.Generator, reference: generator);

    /// <summary>The eight-byte words that the argument's list or text takes in the call's scratch memory.</summary>
    internal int ScratchWords => Reference switch
    {
        long[] list => list.Length,
        double[] list => list.Length,
        Tensor?[] list => list.Length,
        string text => (System.Text.Encoding.UTF8.GetByteCount(text) + 7) / 8,
        _ => 0,
    };

    /// <summary>Whether it is, or lists, a tensor that was freed.</summary>
    internal bool IsFreed => Reference switch
    {
        Tensor tensor => tensor.IsDisposed,
        Tensor?[] list => Array.Exists(list, tensor => tensor is { IsDisposed: true }),
        _ => false,
    };

    /// <summary>How the argument reads in an error message.</summary>
    internal string Describe() => Tag switch
    {
        ValueTag.Default => "default",
        ValueTag.None => "none",
        ValueTag.Bool => Integer != 0 ? "true" : "false",
        ValueTag.Int => Integer.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ValueTag.Double => Number.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ValueTag.Tensor => ((Tensor)Reference!).Describe(),
        ValueTag.IntList => $"[{string.Join(", ", (long[])Reference!)}]",
        ValueTag.DoubleList => $"[{string.Join(", ", (double[])Reference!)}]",
        ValueTag.TensorList => $"[{string.Join(", ", ((Tensor?[])Reference!).Select(t => t?.Describe() ?? "none"))}]",
        ValueTag.String => $"\"{Reference}\"",
        ValueTag.Device => Device.Unpack(Integer).ToString(),
        _ => Tag.ToString(),
    };
}
