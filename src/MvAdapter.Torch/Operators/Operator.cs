using System.Collections.Concurrent;
using System.Text;

namespace MvAdapter.Torch;

/// <summary>
/// An operator of libtorch, found by its name in the dispatcher and called with tagged arguments.
/// Every operator of <see cref="Tensor"/> and <see cref="Functional"/> is one line over this; one that is
/// missing there is called the same way: <c>Operator.Call("aten::erf", x)</c>.
/// </summary>
public sealed unsafe class Operator
{
    private static readonly ConcurrentDictionary<string, Operator> Known = new();
    private readonly nint handle;

    private Operator(string name)
    {
        Name = name;
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var (plain, overload) = dot < 0 ? (name, "") : (name[..dot], name[(dot + 1)..]);
        NativeMethods.Check(NativeMethods.mvt_operator_find(plain, overload, out handle), name);
    }

    /// <summary>Its name with the overload, such as <c>aten::add.Tensor</c>.</summary>
    public string Name { get; }

    /// <summary>The operator's signature as libtorch writes it.</summary>
    public string Schema
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_operator_schema(handle, out var text), Name);
            return NativeMethods.Text(text);
        }
    }

    /// <summary>Finds the operator, such as <c>aten::mm</c> or <c>aten::add.Tensor</c>.</summary>
    /// <exception cref="TorchException">This libtorch has no operator of that name.</exception>
    public static Operator Find(string name) => Known.GetOrAdd(name, static key => new Operator(key));

    /// <summary>Whether this libtorch has an operator of that name.</summary>
    public static bool Exists(string name)
    {
        try
        {
            Find(name);
            return true;
        }
        catch (TorchException)
        {
            return false;
        }
    }

    /// <summary>Calls an operator that returns one tensor.</summary>
    /// <exception cref="TorchException">libtorch refused; the message names the operator and the shapes.</exception>
    public static Tensor Call(string name, params ReadOnlySpan<Argument> arguments)
    {
        var results = Find(name).Run(arguments);
        if (results is [{ } tensor]) return tensor;
        foreach (var unwanted in results) unwanted?.Dispose();
        throw new TorchException($"{name} returns {results.Length} values, not one tensor");
    }

    /// <summary>Calls an operator that returns several tensors or a list of them; an undefined one is null.</summary>
    public static Tensor?[] CallMany(string name, params ReadOnlySpan<Argument> arguments) => Find(name).Run(arguments);

    /// <summary>Calls an operator that returns a truth value or a number.</summary>
    public static double CallScalar(string name, params ReadOnlySpan<Argument> arguments)
    {
        Find(name).Invoke(arguments, out var results, out var count);
        switch (count == 1 ? (ValueTag)results[0].Tag : ValueTag.None)
        {
            case ValueTag.Double:
                return results[0].Number;
            case ValueTag.Int or ValueTag.Bool:
                return results[0].Integer;
            default:
                foreach (var unwanted in Take(results, count)) unwanted?.Dispose();
                throw new TorchException($"{name} returns no single number or truth value");
        }
    }

    private Tensor?[] Run(ReadOnlySpan<Argument> arguments)
    {
        Invoke(arguments, out var results, out var count);
        return Take(results, count);
    }

    private static Tensor?[] Take(NativeValue* results, long count)
    {
        var tensors = new Tensor?[count];
        for (var i = 0; i < count; i++)
            tensors[i] = results[i].Tag == (long)ValueTag.Tensor ? new Tensor((nint)results[i].Pointer) : null;
        return tensors;
    }

    private void Invoke(ReadOnlySpan<Argument> arguments, out NativeValue* results, out long count)
    {
        var words = 0;
        foreach (ref readonly var argument in arguments)
        {
            words += argument.ScratchWords;
            if (argument.IsFreed)
                throw new ObjectDisposedException(nameof(Tensor), $"{Describe(arguments)}: a tensor was freed (by Dispose or the end of its TensorScope)");
        }
        // Lists and texts are copied where the collector cannot move them.
        Span<long> scratch = words <= 512 ? stackalloc long[words] : GC.AllocateUninitializedArray<long>(words, pinned: true);
        Span<NativeValue> values = stackalloc NativeValue[arguments.Length];
        int status;
        fixed (long* words0 = scratch)
        fixed (NativeValue* values0 = values)
        {
            var next = words0;
            for (var i = 0; i < arguments.Length; i++) values[i] = Fill(in arguments[i], ref next);
            status = NativeMethods.mvt_operator_call(handle, values0, arguments.Length, out results, out count);
        }
        if (status != 0)
        {
            var reason = NativeMethods.LastError;
            throw new TorchException($"{Describe(arguments)}: {reason}");
        }
        foreach (ref readonly var argument in arguments) GC.KeepAlive(argument.Reference);
    }

    private NativeValue Fill(in Argument argument, ref long* next)
    {
        var value = new NativeValue { Tag = (long)argument.Tag, Integer = argument.Integer, Number = argument.Number };
        var start = next;
        switch (argument.Reference)
        {
            case Tensor tensor:
                value.Pointer = (void*)tensor.Handle(Name);
                return value;
            case Generator generator:
                value.Pointer = (void*)generator.Handle;
                return value;
            case long[] list:
                list.CopyTo(new Span<long>(next, list.Length));
                value.Integer = list.Length;
                break;
            case double[] list:
                list.CopyTo(new Span<double>(next, list.Length));
                value.Integer = list.Length;
                break;
            case Tensor?[] list:
                for (var i = 0; i < list.Length; i++) next[i] = list[i]?.Handle(Name) ?? 0;
                value.Integer = list.Length;
                break;
            case string text:
                value.Integer = Encoding.UTF8.GetBytes(text, new Span<byte>(next, argument.ScratchWords * 8));
                break;
            default:
                return value;
        }
        value.Pointer = start;
        next += argument.ScratchWords;
        return value;
    }

    /// <summary>The call as an error message names it: the operator with its shapes.</summary>
    private string Describe(ReadOnlySpan<Argument> arguments)
    {
        var described = new string[arguments.Length];
        for (var i = 0; i < arguments.Length; i++) described[i] = arguments[i].Describe();
        return $"{Name}({string.Join(", ", described)})";
    }
}
