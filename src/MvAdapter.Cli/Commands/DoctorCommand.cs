using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Clip;

namespace MvAdapter.Cli;

/// <summary><c>doctor</c>: what the machine has, what would be slow, and what to do about it.</summary>
internal static class DoctorCommand
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create()
    {
        var command = new Command("doctor", """
            Says what is there and what would be slow, with advice; measures matrix products for about a second.

            Examples:
              ./run doctor
              ./run doctor --json
              ./run doctor --verify adapter.safetensors
            """);
        var verify = new Option<string?>("--verify") { Description = "Read a file of weights (CLIP, adapter, checkpoint) or a CLIP's folder, and say what could be checked of it", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Add(verify);
        command.Add(json);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(verify) is { } file) return Verify(file, parsed.GetValue(json));
            ModelOptions.SetThreads(null);
            var report = MachineReport.Take(cancellation);
            if (parsed.GetValue(json)) PrintJson(report);
            else Print(report);
            return ExitCode.Success;
        });
        return command;
    }

    private static int Verify(string file, bool json)
    {
        foreach (var check in FileCheck.Run(file))
            Console.WriteLine(json ? JsonSerializer.Serialize(check, Json) : $"{TextForMessage.Quote(check.Path)}: {check.Result}");
        return ExitCode.Success;
    }

    private static void PrintJson(MachineReport report)
    {
        var node = JsonSerializer.SerializeToNode(report, Json)!;
        node["advice"] = JsonSerializer.SerializeToNode(report.Advice());
        Console.WriteLine(node.ToJsonString());
    }

    private static void Print(MachineReport report)
    {
        Row("version", report.Version);
        Row("libtorch", report.Libtorch);
        Row("build", string.Join(", ", report.LibtorchBuild));
        Row("BLAS", report.Blas + (report.BlasKernels is { } kernels ? $", {kernels} kernels" : "") + (report.BlasFile is { } file ? $" ({file})" : ""));
        Row("processor", report.Processor);
        Row("cores", $"{report.Cores}, of which libtorch uses {report.Threads}");
        Row("matrix units", report.MatrixUnits.Count > 0 ? string.Join(' ', report.MatrixUnits) : "none known");
        Row("products", Rates(report.Float32Gflops, report.Bfloat16Gflops));
        if (report.MatrixUnit is { } unit)
            Row("bf16 unit", string.Create(CultureInfo.InvariantCulture, $"{unit.Name}: {unit.AloneGflops:0} GFLOP/s by its instruction alone, {unit.LoadingGflops:0} with loading what it multiplies: the most a product can reach"));
        Row("memory", Gigabytes(report.MemoryBytes));
        foreach (var gpu in report.Gpus) Row(gpu.Device, $"{Gigabytes(gpu.MemoryBytes)}, {Rates(gpu.Float32Gflops, gpu.Bfloat16Gflops)}");
        if (report.Gpus.Count == 0) Row("GPU", "none that libtorch can use");
        Row("workers", report.ProcessGroups.Count > 0 ? $"by {string.Join(" and ", report.ProcessGroups)}" : "one: this build has no process groups (apt-get install libgloo-dev, then eng/setup)");
        Row("ffmpeg", report.Ffmpeg ?? "missing");
        Row("ffprobe", report.Ffprobe ?? "missing");
        Row("decoding", report.HardwareDecoders.Count > 0 ? $"by the processor; --hwaccel can take {string.Join(", ", report.HardwareDecoders)}" : "by the processor; there is no device for --hwaccel");
        Row(".NET", report.Dotnet);
        Row("cache", report.CacheFolder);
        Console.WriteLine();
        foreach (var line in report.Advice()) Console.WriteLine(line);

        static void Row(string name, string value) => Console.WriteLine($"{name,-14}{value}");
    }

    private static string Rates(double float32, double bfloat16) =>
        string.Create(CultureInfo.InvariantCulture, $"float32 {float32:0} GFLOP/s, bf16 {bfloat16:0} GFLOP/s");

    private static string Gigabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.0} GB");
}
