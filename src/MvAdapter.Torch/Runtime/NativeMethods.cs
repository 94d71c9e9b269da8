using System.Reflection;
using System.Runtime.InteropServices;

namespace MvAdapter.Torch;

/// <summary>The C ABI of <c>native/mvtorch.h</c>, line by line.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "mvtorch";

    /// <summary>What <c>MVT_ABI</c> of <c>native/mvtorch.h</c> is for these declarations.</summary>
    private const int Abi = 3;

    static NativeMethods() =>
        NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, static (name, assembly, _) =>
            name == Library ? LoadedLibrary = Load(assembly) : 0);

    /// <summary>The library's own handle, through which symbols of what it is linked with can be found; 0 before the first call.</summary>
    internal static nint LoadedLibrary { get; private set; }

    private static nint Load(Assembly assembly)
    {
        OpenBlasKernels.Choose();
        CVariables.Quieten();
        var library = NativeVariants.Load(assembly);
        var abi = NativeLibrary.TryGetExport(library, "mvt_abi", out var function) ? ((delegate* unmanaged<int>)function)() : 0;
        return abi == Abi ? library
            : throw new TorchException($"libmvtorch is of another version than MvAdapter.Torch (interface {abi}, not {Abi}): take both from one release, or run eng/setup");
    }

    [LibraryImport(Library)] internal static partial nint mvt_last_error();

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_operator_find(string name, string overload, out nint handle);
    [LibraryImport(Library)] internal static partial int mvt_operator_schema(nint handle, out nint text);
    [LibraryImport(Library)] internal static partial int mvt_operator_call(nint handle, NativeValue* arguments, long count, out NativeValue* results, out long resultCount);

    [LibraryImport(Library)] internal static partial void mvt_tensor_free(nint tensor);
    [LibraryImport(Library)] internal static partial int mvt_tensor_info(nint tensor, out long dtype, out long dimensions, out long device, out long flags);
    [LibraryImport(Library)] internal static partial int mvt_tensor_sizes(nint tensor, long* sizes, long* strides);
    [LibraryImport(Library)] internal static partial int mvt_tensor_data(nint tensor, out void* data);

    [LibraryImport(Library)] internal static partial int mvt_set_requires_grad(nint tensor, int value);
    [LibraryImport(Library)] internal static partial int mvt_get_grad(nint tensor, out nint gradient);
    [LibraryImport(Library)] internal static partial int mvt_set_grad(nint tensor, nint gradient);
    [LibraryImport(Library)] internal static partial int mvt_backward(nint* tensors, long count, nint* gradients, int keepGraph);
    [LibraryImport(Library)] internal static partial int mvt_gradient(nint* outputs, long outputCount, nint* outputGradients, nint* inputs, long inputCount, int keepGraph, nint* gradients);
    [LibraryImport(Library)] internal static partial int mvt_checkpoint(nint x, delegate* unmanaged<nint, nint, nint*, int> forward, delegate* unmanaged<nint, void> release, nint state, out nint result);
    [LibraryImport(Library)] internal static partial int mvt_grad_mode(int value);
    [LibraryImport(Library)] internal static partial int mvt_inference_mode_enter(out nint guard);
    [LibraryImport(Library)] internal static partial int mvt_autocast_enter(long deviceType, long dtype, out nint guard);
    [LibraryImport(Library)] internal static partial void mvt_guard_release(nint guard);

    [LibraryImport(Library)] internal static partial nint mvt_version();
    [LibraryImport(Library)] internal static partial int mvt_configuration(out nint build, out nint parallel);
    [LibraryImport(Library)] internal static partial int mvt_set_threads(long threads);
    [LibraryImport(Library)] internal static partial int mvt_get_threads(out long threads);
    [LibraryImport(Library)] internal static partial int mvt_manual_seed(ulong seed);
    [LibraryImport(Library)] internal static partial int mvt_generator_create(long device, ulong seed, out nint generator);
    [LibraryImport(Library)] internal static partial int mvt_generator_get_state(nint generator, out nint state);
    [LibraryImport(Library)] internal static partial int mvt_generator_set_state(nint generator, nint state);
    [LibraryImport(Library)] internal static partial void mvt_generator_free(nint generator);
    [LibraryImport(Library)] internal static partial nint mvt_unit();
    [LibraryImport(Library)] internal static partial int mvt_unit_rate(int loading, long milliseconds, out double gflops);
    [LibraryImport(Library)] internal static partial void mvt_trim_memory();
    [LibraryImport(Library)] internal static partial int mvt_cuda_devices(out long count);
    [LibraryImport(Library)] internal static partial int mvt_cuda_synchronize(long index);
    [LibraryImport(Library)] internal static partial int mvt_cuda_memory(long index, out long allocated, out long peak, out long total);
    [LibraryImport(Library)] internal static partial int mvt_cuda_reset_peak(long index);
    [LibraryImport(Library)] internal static partial int mvt_cuda_empty_cache();

    [LibraryImport(Library)] internal static partial int mvt_watch_for(long kinds);
    [LibraryImport(Library)] internal static partial int mvt_watched(out nint lines);
    [LibraryImport(Library)] internal static partial int mvt_profile_begin(long device);
    [LibraryImport(Library)] internal static partial int mvt_profile_end(out nint lines);

    [LibraryImport(Library)] internal static partial int mvt_distributed_backends(out long backends);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_store_open_file(string path, out nint store);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_store_open_tcp(string host, long port, int isServer, long timeoutMilliseconds, out nint store);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_store_set(nint store, string key, byte* value, long length);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_store_get(nint store, string key, long timeoutMilliseconds, out byte* value, out long length);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_store_add(nint store, string key, long amount, out long sum);
    [LibraryImport(Library)] internal static partial void mvt_store_free(nint store);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int mvt_group_open(nint store, string name, long backend, long rank, long world, string address, long timeoutMilliseconds, out nint group);
    [LibraryImport(Library)] internal static partial void mvt_group_free(nint group);
    [LibraryImport(Library)] internal static partial int mvt_group_all_reduce(nint group, nint tensor, out nint work);
    [LibraryImport(Library)] internal static partial int mvt_group_broadcast(nint group, nint tensor, long root, out nint work);
    [LibraryImport(Library)] internal static partial int mvt_group_all_gather(nint group, nint tensor, nint* parts, long count, out nint work);
    [LibraryImport(Library)] internal static partial int mvt_work_wait(nint work);
    [LibraryImport(Library)] internal static partial void mvt_work_free(nint work);
    [LibraryImport(Library)] internal static partial int mvt_reducer_create(nint group, nint* parameters, long count, long bucketBytes, out nint reducer);
    [LibraryImport(Library)] internal static partial int mvt_reducer_arm(nint reducer);
    [LibraryImport(Library)] internal static partial int mvt_reducer_finish(nint reducer, out long bytes);
    [LibraryImport(Library)] internal static partial void mvt_reducer_free(nint reducer);

    internal static string LastError => Marshal.PtrToStringUTF8(mvt_last_error()) ?? "unknown failure";

    internal static string Text(nint pointer) => Marshal.PtrToStringUTF8(pointer) ?? "";

    /// <summary>Turns a failed call into an exception that names it.</summary>
    internal static void Check(int status, string what)
    {
        if (status != 0) throw new TorchException($"{what}: {LastError}");
    }
}

/// <summary>One tagged argument or result: <c>mvt_value</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeValue
{
    public long Tag;
    public long Integer;
    public double Number;
    public void* Pointer;
}

/// <summary>What a <see cref="NativeValue"/> holds: <c>mvt_tag</c>.</summary>
internal enum ValueTag
{
    Default, None, Bool, Int, Double, Tensor, IntList, DoubleList, TensorList, String, Device, Generator,
}
