using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>Which build of the native library a package's user gets.</summary>
public sealed class NativeVariantsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("libmvtorch-1.13-debian12.so", "libtorch 1.13 of Debian 12")]
    [InlineData("libmvtorch-2.10.so", "libtorch 2.10")]
    [InlineData("libmvtorch-2.11-cuda.so", "libtorch 2.11 with CUDA")]
    [InlineData("libmvtorch.so", null)]
    [InlineData("libmvtorch-2.so", null)]
    [InlineData("libmvtorch-2.10-alpine.so", null)]
    public void A_files_name_says_for_which_libtorch_it_is(string file, string? name) =>
        Assert.Equal(name, NativeVariant.Parse(Path.Combine(folder.Path, file))?.Name);

    [Fact]
    public void The_newest_comes_first_and_each_once()
    {
        var (one, other) = (Directory.CreateDirectory(folder.File("one")).FullName, Directory.CreateDirectory(folder.File("other")).FullName);
        foreach (var file in new[] { "libmvtorch-1.13-debian12.so", "libmvtorch-2.9.so", "libmvtorch-2.10.so", "libmvtorch-2.10-cuda.so", "libtorch_cpu.so" })
            File.WriteAllText(Path.Combine(one, file), "");
        File.WriteAllText(Path.Combine(other, "libmvtorch-2.10.so"), "");
        Assert.Equal(["libtorch 2.10", "libtorch 2.10 with CUDA", "libtorch 2.9", "libtorch 1.13 of Debian 12"],
            NativeVariants.Find([one, other, folder.File("absent")]).Select(variant => variant.Name));
    }

    [Theory]
    [InlineData("", "build-version", "2.10.0+cpu", 2, 10)]
    [InlineData("torch", "version.py", "__version__ = '2.11.0+cu130'\ndebug = False", 2, 11)]
    [InlineData("libtorch", "include/torch/csrc/api/include/torch/version.h", "#define TORCH_VERSION_MAJOR 1\n/// x\n#define TORCH_VERSION_MINOR 13\n", 1, 13)]
    public void An_unpacked_libtorch_says_its_version(string below, string file, string text, int major, int minor)
    {
        var prefix = Path.Combine(folder.Path, below);
        Make(Path.Combine(prefix, "lib", "libtorch_cpu.so"), "");
        Make(Path.Combine(prefix, file), text);
        Assert.Equal((Path.Combine(prefix, "lib"), new Version(major, minor)), NativeVariants.Unpacked(folder.Path));
    }

    [Fact]
    public void What_is_no_libtorch_is_refused_in_one_line()
    {
        Assert.Contains("holds no libtorch", Assert.Throws<TorchException>(() => NativeVariants.Unpacked(folder.Path)).Message, StringComparison.Ordinal);
        Make(folder.File("lib/libtorch_cpu.so"), "");
        Assert.Contains("does not say which version", Assert.Throws<TorchException>(() => NativeVariants.Unpacked(folder.Path)).Message, StringComparison.Ordinal);
    }

    private static void Make(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
