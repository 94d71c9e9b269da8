using System.Diagnostics;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Torch;

/// <summary>The native library's own tests, which ./run test builds beside it: each operator and gradient against libtorch in double precision.</summary>
[Trait("Category", "Slow")]
public sealed class NativeTests
{
    [Theory]
    [InlineData("mvtorch_test", "")]
    [InlineData("operators_test", "")]
    [InlineData("operators_test", "avx2")]
    [InlineData("operators_test", "default")]
    [InlineData("gpu_kernels_test", "")]
    public void The_native_librarys_own_test_passes(string program, string capability)
    {
        var library = Environment.GetEnvironmentVariable("MVADAPTER_NATIVE") ?? Path.Combine(Fixtures.Repository, "artifacts", "native", "libmvtorch.so");
        var path = Path.Combine(Path.GetDirectoryName(library)!, "build", program);
        Assert.SkipUnless(File.Exists(path), $"{program} is not built: ./run test builds it, dotnet test alone does not");
        var start = new ProcessStartInfo(path) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (capability.Length > 0) start.Environment["ATEN_CPU_CAPABILITY"] = capability;
        var (code, output, error) = CommandLine.Finish(Process.Start(start)!);
        Assert.True(code == 0, $"{path} ended with {code}: {output}{error}");
    }
}
