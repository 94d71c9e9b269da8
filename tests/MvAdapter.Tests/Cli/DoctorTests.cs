using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary><c>doctor</c> describes this machine and advises where something is slow or missing.</summary>
[Collection("Command line")]
public sealed class DoctorTests : IDisposable
{
    private const string ReferenceBlas = "/usr/lib/x86_64-linux-gnu/blas";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Describes_the_machine()
    {
        var report = Report();
        Assert.Equal(MvAdapter.Torch.TorchRuntime.Version, report.GetProperty("libtorch").GetString());
        Assert.Equal(Environment.Version.ToString(), report.GetProperty("dotnet").GetString());
        Assert.Equal(Environment.ProcessorCount, report.GetProperty("cores").GetInt32());
        Assert.NotEmpty(report.GetProperty("blas").GetString()!);
        Assert.NotEmpty(report.GetProperty("ffmpeg").GetString()!);
        Assert.NotEmpty(report.GetProperty("ffprobe").GetString()!);
        Assert.True(report.GetProperty("memory_bytes").GetInt64() > 1 << 28);
        Assert.True(report.GetProperty("float32_gflops").GetDouble() > 0);
        Assert.True(report.GetProperty("bfloat16_gflops").GetDouble() > 0);
        Assert.Equal(MvAdapter.Torch.TorchRuntime.CudaDevices, report.GetProperty("gpus").GetArrayLength());
    }

    [Fact]
    public void The_same_stands_in_its_text()
    {
        var result = CommandLine.Run("doctor").Succeeds();
        Assert.Empty(result.Error);
        foreach (var row in new[] { "libtorch ", "BLAS ", "matrix units ", "products ", "workers ", "ffmpeg ", "decoding ", "cache " })
            Assert.Contains("\n" + row, result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_reference_BLAS_is_found_out()
    {
        Assert.SkipUnless(Directory.Exists(ReferenceBlas), "Debian's reference BLAS is not installed");
        Assert.SkipUnless(Report().GetProperty("blas_file").GetString()?.Contains("openblas", StringComparison.Ordinal) == true, "this libtorch does not take its BLAS from Debian");
        var report = Report(("LD_LIBRARY_PATH", ReferenceBlas));
        Assert.Equal("reference BLAS", report.GetProperty("blas").GetString());
        Assert.Contains("apt-get install libopenblas0-openmp", report.GetProperty("advice").ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void OpenBLAS_takes_kernels_that_use_what_the_processor_has()
    {
        Assert.SkipUnless(System.Runtime.Intrinsics.X86.Avx2.IsSupported, "the processor has no AVX2");
        Assert.SkipWhen(Report().GetProperty("blas_kernels").GetString() is null, "libtorch multiplies by another library than OpenBLAS");
        // What a young processor gets when OpenBLAS is left alone.
        Assert.DoesNotContain("Prescott", Report().GetProperty("blas_kernels").GetString(), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("Haswell", Report(("OPENBLAS_CORETYPE", "Haswell")).GetProperty("blas_kernels").GetString(), ignoreCase: true);
    }

    [Fact]
    public void What_is_missing_or_held_back_is_named_with_advice()
    {
        var report = Report(("PATH", folder.Path), ("OMP_NUM_THREADS", "1"));
        Assert.Equal(JsonValueKind.Null, report.GetProperty("ffmpeg").ValueKind);
        var advice = report.GetProperty("advice").ToString();
        Assert.Contains("apt-get install ffmpeg", advice, StringComparison.Ordinal);
        Assert.Equal(Environment.ProcessorCount > 1, advice.Contains("OMP_NUM_THREADS", StringComparison.Ordinal));
    }

    private static JsonElement Report(params (string Name, string Value)[] environment)
    {
        var result = CommandLine.RunWith(environment, "doctor", "--json").Succeeds();
        Assert.Empty(result.Error);
        return JsonDocument.Parse(result.Output).RootElement;
    }
}
