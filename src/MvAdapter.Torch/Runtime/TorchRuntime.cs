using System.Globalization;
using System.Runtime.InteropServices;

namespace MvAdapter.Torch;

/// <summary>The libtorch that is loaded: its version and build, threads, devices, and memory.</summary>
public static class TorchRuntime
{
    /// <summary>libtorch's version, such as <c>1.13.1</c>.</summary>
    public static string Version => NativeMethods.Text(NativeMethods.mvt_version());

    /// <summary>How libtorch was built: compiler, BLAS, oneDNN, CPU capability.</summary>
    public static string BuildDescription
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_configuration(out var build, out _), "configuration");
            return NativeMethods.Text(build);
        }
    }

    /// <summary>What libtorch says of its threads.</summary>
    public static string ParallelDescription
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_configuration(out _, out var parallel), "configuration");
            return NativeMethods.Text(parallel);
        }
    }

    /// <summary>
    /// The file of the library that multiplies float32 matrices, or null where that cannot be told. It is what answers,
    /// not what libtorch was built with: Debian chooses the library behind libblas.so.3 when it is loaded.
    /// </summary>
    public static string? BlasFile
    {
        get
        {
            _ = Version;   // loads the library
            return NativeLibrary.TryGetExport(NativeMethods.LoadedLibrary, "sgemm_", out var symbol) ? FileAt(symbol) : null;
        }
    }

    /// <summary>The kernels that OpenBLAS has taken, such as <c>SkylakeX</c>; null where another library multiplies.</summary>
    public static string? BlasKernels
    {
        get
        {
            _ = Version;   // loads the library
            return OpenBlasKernels.Current(NativeMethods.LoadedLibrary);
        }
    }

    /// <summary>Threads of one operator. Each thread that calls libtorch has a team of its own.</summary>
    public static int Threads
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_get_threads(out var threads), "threads");
            return (int)threads;
        }
        set => NativeMethods.Check(NativeMethods.mvt_set_threads(value), "threads");
    }

    /// <summary>The processor's unit for products of bfloat16 that our own operators use, such as <c>AMX</c>; null where there is none.</summary>
    public static string? MatrixUnit => NativeMethods.mvt_unit() is var name && name == 0 ? null : NativeMethods.Text(name);

    /// <summary>
    /// How fast that unit multiplies on all <see cref="Threads"/>, in GFLOP/s. Neighbours on the same processor change it within minutes, so a rate
    /// of anything else means most as a share of this one beside it.
    /// </summary>
    /// <param name="loading">
    /// Whether it loads what it multiplies, from the first cache: what a product can reach at most. Otherwise its instruction alone.
    /// </param>
    /// <param name="time">How long to measure.</param>
    /// <exception cref="TorchException">There is no such unit.</exception>
    public static double MatrixUnitRate(bool loading, TimeSpan time)
    {
        NativeMethods.Check(NativeMethods.mvt_unit_rate(loading ? 1 : 0, (long)time.TotalMilliseconds, out var gflops), "matrix unit");
        return gflops;
    }

    /// <summary>The number of GPUs libtorch can use.</summary>
    public static int CudaDevices
    {
        get
        {
            NativeMethods.Check(NativeMethods.mvt_cuda_devices(out var count), "cuda");
            return (int)count;
        }
    }

    /// <summary>Waits until the GPU has finished what it was given.</summary>
    public static void Synchronize(Device device)
    {
        if (device.IsCuda) NativeMethods.Check(NativeMethods.mvt_cuda_synchronize(device.Index), "synchronize");
    }

    /// <summary>Bytes of memory: resident in main memory, or allocated on the GPU.</summary>
    public static MemoryUse Memory(Device device)
    {
        if (device.IsCpu) return new MemoryUse(StatusBytes("VmRSS:"), StatusBytes("VmHWM:"), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        NativeMethods.Check(NativeMethods.mvt_cuda_memory(device.Index, out var allocated, out var peak, out var total), "memory");
        return new MemoryUse(allocated, peak, total);
    }

    /// <summary>Begins the measurement of <see cref="MemoryUse.Peak"/> anew.</summary>
    public static void ResetPeakMemory(Device device)
    {
        if (device.IsCuda) NativeMethods.Check(NativeMethods.mvt_cuda_reset_peak(device.Index), "memory");
        else try
        {
            // What was freed but not given back would count as the next work's.
            NativeMethods.mvt_trim_memory();
            // Writing 5 to clear_refs resets VmHWM; a kernel that forbids it leaves the peak of the whole process.
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
    }

    /// <summary>
    /// Gives memory that was freed and waits for its next use (up to 2 GB of the CPU's, whatever a GPU's allocator holds) back to the
    /// system or the driver, and the copies of frozen weights in the order that products like best: after a large work, where much smaller
    /// ones follow. What is wanted again is made again.
    /// </summary>
    public static void EmptyCache()
    {
        NativeMethods.mvt_trim_memory();
        if (CudaDevices > 0) NativeMethods.Check(NativeMethods.mvt_cuda_empty_cache(), "memory");
    }

    // A line of maps: 7f5c00000000-7f5c00100000 r-xp 00000000 08:01 1234   /usr/lib/libblas.so.3
    private static string? FileAt(nint address)
    {
        if (!File.Exists("/proc/self/maps")) return null;
        foreach (var line in File.ReadLines("/proc/self/maps"))
        {
            var range = line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-');
            if (address < Convert.ToInt64(range[0], 16) || address >= Convert.ToInt64(range[1], 16)) continue;
            return line.IndexOf('/', StringComparison.Ordinal) is >= 0 and var path ? line[path..] : null;
        }
        return null;
    }

    private static long StatusBytes(string key)
    {
        if (!File.Exists("/proc/self/status")) return Environment.WorkingSet;
        var line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(key, StringComparison.Ordinal));
        return line is null ? Environment.WorkingSet
            : 1024 * long.Parse(line.AsSpan(key.Length).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}

/// <summary>Memory in bytes.</summary>
/// <param name="Current">In use now.</param>
/// <param name="Peak">The most that was in use since the start or the last reset.</param>
/// <param name="Total">What the device has.</param>
public readonly record struct MemoryUse(long Current, long Peak, long Total);
