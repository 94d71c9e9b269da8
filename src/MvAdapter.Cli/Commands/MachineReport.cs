using System.Reflection;
using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>A GPU that libtorch can use.</summary>
internal sealed record GpuReport(string Device, long MemoryBytes, double Float32Gflops, double Bfloat16Gflops, string? Fault);

/// <summary>The processor's unit for products of bfloat16: how fast its instruction alone is, and with loading what it multiplies.</summary>
internal sealed record MatrixUnitReport(string Name, double AloneGflops, double LoadingGflops)
{
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(0.1);

    /// <summary>Measures it; null where there is none.</summary>
    public static MatrixUnitReport? Take() => TorchRuntime.MatrixUnit is { } name
        ? new MatrixUnitReport(name, TorchRuntime.MatrixUnitRate(loading: false, Time), TorchRuntime.MatrixUnitRate(loading: true, Time)) : null;
}

/// <summary>What the machine has of what the product needs, and how fast it multiplies matrices.</summary>
internal sealed record MachineReport
{
    // What makes products fast, on x86 and ARM, as /proc/cpuinfo calls it.
    private static readonly string[] UnitsThatMatter =
        ["avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16", "asimd", "bf16", "i8mm", "sve"];

    public required string Version { get; init; }
    public required string Libtorch { get; init; }
    public required IReadOnlyList<string> LibtorchBuild { get; init; }
    public required string Blas { get; init; }
    public required string? BlasFile { get; init; }
    public required string? BlasKernels { get; init; }
    public required string Processor { get; init; }
    public required IReadOnlyList<string> MatrixUnits { get; init; }
    public required int Cores { get; init; }
    public required int Threads { get; init; }
    public required long MemoryBytes { get; init; }
    public required double Float32Gflops { get; init; }
    public required double Bfloat16Gflops { get; init; }
    public required MatrixUnitReport? MatrixUnit { get; init; }
    public required IReadOnlyList<GpuReport> Gpus { get; init; }
    public required IReadOnlyList<string> ProcessGroups { get; init; }
    public required string? Ffmpeg { get; init; }
    public required string? Ffprobe { get; init; }
    public required IReadOnlyList<string> HardwareDecoders { get; init; }
    public required string Dotnet { get; init; }
    public required string CacheFolder { get; init; }

    /// <summary>Whether float32 products go to the library that is written for clarity and not for speed.</summary>
    private bool HasReferenceBlas => Blas == "reference BLAS";

    /// <summary>Looks at the machine; takes about a second a device, for the products.</summary>
    public static MachineReport Take(CancellationToken cancellation)
    {
        var (processor, flags) = ProcessorInfo();
        var blasFile = TorchRuntime.BlasFile;
        return new MachineReport
        {
            // Without the commit that follows a plus.
            Version = typeof(VideoTextEncoder).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0],
            Libtorch = TorchRuntime.Version,
            LibtorchBuild = BuildFacts(TorchRuntime.BuildDescription),
            Blas = BlasName(blasFile, TorchRuntime.BuildDescription),
            BlasFile = blasFile,
            BlasKernels = TorchRuntime.BlasKernels,
            Processor = processor,
            MatrixUnits = [.. UnitsThatMatter.Where(flags.Contains)],
            Cores = Environment.ProcessorCount,
            Threads = TorchRuntime.Threads,
            MemoryBytes = TorchRuntime.Memory(Device.Cpu).Total,
            Float32Gflops = ProductRate.Measure(Device.Cpu, DType.Float32, cancellation),
            Bfloat16Gflops = ProductRate.Measure(Device.Cpu, DType.BFloat16, cancellation),
            MatrixUnit = MatrixUnitReport.Take(),
            Gpus = [.. Enumerable.Range(0, TorchRuntime.CudaDevices).Select(index => Gpu(Device.Cuda(index), cancellation))],
            ProcessGroups = [.. new (string Name, Device Device)[] { ("Gloo", Device.Cpu), ("NCCL", Device.Cuda()) }.Where(group => ProcessGroup.IsAvailable(group.Device)).Select(group => group.Name)],
            Ffmpeg = ProgramVersion("ffmpeg", cancellation),
            Ffprobe = ProgramVersion("ffprobe", cancellation),
            HardwareDecoders = Asked(() => HardwareDecoding.Available(null, cancellation)) ?? [],
            Dotnet = Environment.Version.ToString(),
            CacheFolder = HubSettings.FromEnvironment().CacheFolder,
        };
    }

    /// <summary>Whether the processor has matrix units for bfloat16. AVX-512's instructions alone are no faster than float32.</summary>
    public static bool HasBFloat16Units => ProcessorInfo().Flags.Contains("amx_bf16");

    /// <summary>The type of products that is the faster on a device: bf16 or fp32.</summary>
    public static string FasterPrecision(Device device) => device.IsCuda || HasBFloat16Units ? "bf16" : "fp32";

    /// <summary>What is missing or would be slow, and what to do about it: a line each.</summary>
    public IEnumerable<string> Advice()
    {
        if (HasReferenceBlas)
            yield return "BLAS: reference BLAS: float32 products run about 60 times slower; apt-get install libopenblas0-openmp";
        if (Ffmpeg is null || Ffprobe is null)
            yield return "ffmpeg: missing, so no video can be read; apt-get install ffmpeg";
        if (Threads < Cores)
            yield return Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is { Length: > 0 } limit
                ? $"threads: OMP_NUM_THREADS={TextForMessage.Quote(limit, 20)} leaves {Cores - Threads} of {Cores} cores idle; unset it or give --threads {Cores}"
                : $"threads: libtorch counts {Threads} physical of {Cores} logical cores; where that is wrong, as in some virtual machines, give --threads {Cores}";
        if (Gpus.Count == 0 && File.Exists("/proc/driver/nvidia/version"))
            yield return "GPU: the machine has one, but this libtorch is built without CUDA; set LIBTORCH to one built with it";
        if (Gpus.Count == 0 && Bfloat16Gflops < 1.2 * Float32Gflops)
            yield return "bf16: no faster than float32 on this processor; leave --precision at fp32";
        else if (Gpus.Count == 0)
            yield return $"bf16: products run {Bfloat16Gflops / Float32Gflops:0.0} times faster than in float32; give --precision bf16";
        foreach (var gpu in Gpus)
            if (gpu.Fault is { } fault)
                yield return $"{gpu.Device}: our own operators cannot be compiled for it, so libtorch's do the work more slowly: {fault}";
        if (MemoryBytes < 4L << 30)
            yield return $"memory: {MemoryBytes / 1e9:0.0} GB; a CLIP of ViT-B's size needs about 2 GB to encode and 8 GB to train";
    }

    private static GpuReport Gpu(Device device, CancellationToken cancellation) => new(device.ToString(), TorchRuntime.Memory(device).Total,
        ProductRate.Measure(device, DType.Float32, cancellation), ProductRate.Measure(device, DType.BFloat16, cancellation), Fused.GpuFault(device));

    private static string BlasName(string? file, string build)
    {
        if (file is null || Path.GetFileName(file).StartsWith("libtorch", StringComparison.Ordinal))
            return build.Contains("BLAS_INFO=mkl", StringComparison.Ordinal) || build.Contains("Math Kernel Library", StringComparison.Ordinal) ? "MKL" : "unknown";
        foreach (var (mark, name) in new[] { ("openblas", "OpenBLAS"), ("mkl", "MKL"), ("blis", "BLIS"), ("atlas", "ATLAS"), ("armpl", "Arm Performance Libraries") })
            if (file.Contains(mark, StringComparison.OrdinalIgnoreCase)) return name;
        return Path.GetFileName(file).StartsWith("libblas.so", StringComparison.Ordinal) ? "reference BLAS" : Path.GetFileName(file);
    }

    // "  - fact" a line; the last is the compiler's whole command line.
    private static List<string> BuildFacts(string build) =>
        [.. build.Split('\n').Select(line => line.Trim()).Where(line => line.StartsWith("- ", StringComparison.Ordinal) && !line.Contains("Build settings", StringComparison.Ordinal)).Select(line => line[2..])];

    private static (string Name, HashSet<string> Flags) ProcessorInfo()
    {
        if (!File.Exists("/proc/cpuinfo")) return ("unknown", []);
        var fields = File.ReadLines("/proc/cpuinfo").Select(line => line.Split(':', 2, StringSplitOptions.TrimEntries)).Where(parts => parts.Length == 2).ToList();
        var flags = fields.FirstOrDefault(parts => parts[0] is "flags" or "Features")?[1] ?? "";
        return (fields.FirstOrDefault(parts => parts[0] == "model name")?[1] ?? "unknown", [.. flags.Split(' ')]);
    }

    private static string? ProgramVersion(string program, CancellationToken cancellation) => Asked(() => VideoDecoder.ProgramVersion(program, cancellation));

    // Null where the program is missing, which the advice tells.
    private static T? Asked<T>(Func<T> ask)
        where T : class
    {
        try
        {
            return ask();
        }
        catch (MvAdapterException)
        {
            return null;
        }
    }
}
