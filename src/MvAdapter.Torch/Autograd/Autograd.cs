namespace MvAdapter.Torch;

public sealed unsafe partial class Tensor
{
    /// <summary>Whether operations on this tensor are recorded for gradients.</summary>
    /// <exception cref="InvalidOperationException">Set to false on a result of recorded operations; <see cref="Detach"/> it instead.</exception>
    public bool RequiresGrad
    {
        get => (Flags & 2) != 0;
        set
        {
            // libtorch would ignore it without a word.
            if (!value && (Flags & 8) == 0)
                throw new InvalidOperationException($"requires_grad({Describe()}): a result of recorded operations needs a gradient as long as they do; call Detach");
            Check(NativeMethods.mvt_set_requires_grad(Handle("requires_grad"), value ? 1 : 0), "requires_grad");
        }
    }

    /// <summary>The gradient gathered by <see cref="Backward"/>, or null. Each read gives a new handle.</summary>
    /// <exception cref="ArgumentException">The gradient set has another type, shape or device than the tensor.</exception>
    public Tensor? Grad
    {
        get
        {
            Check(NativeMethods.mvt_get_grad(Handle("grad"), out var gradient), "grad");
            return gradient == 0 ? null : new Tensor(gradient);
        }
        set
        {
            var gradient = value?.Handle("grad") ?? 0;
            // libtorch stores whatever it is given.
            if (value is not null && (value.DType != DType || value.Device != Device || !value.Sizes.SequenceEqual(Sizes)))
                throw new ArgumentException($"grad: {value.Describe()} is no gradient of {Describe()}", nameof(value));
            Check(NativeMethods.mvt_set_grad(Handle("grad"), gradient), "grad");
            GC.KeepAlive(value);
        }
    }

    /// <summary>Adds the gradient of this tensor to the <see cref="Grad"/> of every leaf it depends on.</summary>
    /// <param name="gradient">The gradient of the loss by this tensor; may be null for a scalar.</param>
    /// <param name="keepGraph">Whether a second backward pass will follow.</param>
    /// <exception cref="TorchException">Nothing requires a gradient, or the graph has been freed.</exception>
    public void Backward(Tensor? gradient = null, bool keepGraph = false) => Autograd.Backward([this], gradient is null ? null : [gradient], keepGraph);
}

/// <summary>Gradients of several tensors at once.</summary>
public static unsafe class Autograd
{
    /// <summary>Backward from several tensors with their gradients (null for scalars) in one pass.</summary>
    /// <exception cref="ArgumentException">There are not as many gradients as tensors.</exception>
    public static void Backward(Tensor[] tensors, Tensor?[]? gradients = null, bool keepGraph = false)
    {
        fixed (nint* handles = Handles(tensors))
        fixed (nint* seeds = Seeds(gradients, tensors))
            Check(NativeMethods.mvt_backward(handles, tensors.Length, seeds, keepGraph ? 1 : 0), "backward", tensors);
        GC.KeepAlive(tensors);
        GC.KeepAlive(gradients);
    }

    /// <summary>The gradients of the outputs' sum by the inputs, without touching <see cref="Tensor.Grad"/>; null for an unused input.</summary>
    /// <exception cref="ArgumentException">There are not as many output gradients as outputs.</exception>
    public static Tensor?[] Gradient(Tensor[] outputs, Tensor[] inputs, Tensor?[]? outputGradients = null, bool keepGraph = false)
    {
        var results = new nint[inputs.Length];
        fixed (nint* o = Handles(outputs), i = Handles(inputs), r = results)
        fixed (nint* seeds = Seeds(outputGradients, outputs))
            Check(NativeMethods.mvt_gradient(o, outputs.Length, seeds, i, inputs.Length, keepGraph ? 1 : 0, r), "gradient", [.. outputs, .. inputs]);
        GC.KeepAlive(outputs);
        GC.KeepAlive(inputs);
        GC.KeepAlive(outputGradients);
        return Array.ConvertAll(results, handle => handle == 0 ? null : new Tensor(handle));
    }

    private static nint[] Handles(Tensor?[] tensors) => Array.ConvertAll(tensors, tensor => tensor?.Handle("autograd") ?? 0);

    private static nint[]? Seeds(Tensor?[]? gradients, Tensor[] tensors) =>
        gradients is null ? null
        : gradients.Length == tensors.Length ? Handles(gradients)
        : throw new ArgumentException($"{gradients.Length} gradients for {tensors.Length} tensors", nameof(gradients));

    private static void Check(int status, string what, Tensor[] tensors)
    {
        if (status == 0) return;
        var reason = NativeMethods.LastError;
        throw new TorchException($"{what}({string.Join(", ", tensors.Select(tensor => tensor.Describe()))}): {reason}");
    }
}
