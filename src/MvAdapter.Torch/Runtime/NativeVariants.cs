using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace MvAdapter.Torch;

/// <summary>
/// Which build of libmvtorch is loaded. Beside a program built from source lies one, <c>libmvtorch.so</c>. The package
/// MvAdapter.Runtime.linux-x64 brings several, each for another libtorch, and the one whose libtorch is there is taken:
/// that of <c>LIBTORCH</c>, that of a package, that of the system.
/// </summary>
internal static partial class NativeVariants
{
    private const string Package = "MvAdapter.Runtime.linux-x64";
    private static readonly string OwnName = OperatingSystem.IsWindows() ? "mvtorch.dll" : OperatingSystem.IsMacOS() ? "libmvtorch.dylib" : "libmvtorch.so";

    /// <summary>Loads the build that this machine can use.</summary>
    /// <exception cref="TorchException">There is none; the line says what to install or to set.</exception>
    public static nint Load(Assembly assembly)
    {
        if (Variable("MVADAPTER_NATIVE") is { } file) return LoadFile(file, $"MVADAPTER_NATIVE names {file}, which cannot be loaded");
        var folders = Folders(assembly);
        if (folders.Select(folder => Path.Combine(folder, OwnName)).FirstOrDefault(File.Exists) is { } own)
            return LoadFile(own, $"{OwnName} or the libtorch it needs cannot be loaded; run eng/setup to build it");
        RefuseOtherMachines();
        var variants = Find(folders);
        if (variants.Count == 0)
            throw new TorchException($"libmvtorch is missing: add the package {Package} to the program, or build it with eng/setup and name it by MVADAPTER_NATIVE");
        return Variable("LIBTORCH") is { } libtorch ? LoadFor(libtorch, variants) : LoadAny(variants, folders);
    }

    /// <summary>The builds in some folders, the newest libtorch first.</summary>
    public static IReadOnlyList<NativeVariant> Find(IEnumerable<string> folders) =>
        [.. folders.Where(Directory.Exists).SelectMany(folder => Directory.EnumerateFiles(folder, "libmvtorch-*.so")).Select(NativeVariant.Parse).OfType<NativeVariant>()
            .DistinctBy(variant => variant.Name).OrderByDescending(variant => variant.Libtorch).ThenBy(variant => variant.IsCuda)];

    /// <summary>The folder of an unpacked libtorch's libraries, and its version; the folder may be one above it, or a Python installation's torch.</summary>
    /// <exception cref="TorchException">There is no libtorch.</exception>
    public static (string Libraries, Version Version) Unpacked(string libtorch)
    {
        foreach (var prefix in new[] { libtorch, Path.Combine(libtorch, "torch"), Path.Combine(libtorch, "libtorch") })
        {
            if (!File.Exists(Path.Combine(prefix, "lib", "libtorch_cpu.so"))) continue;
            foreach (var (name, pattern) in new[] { ("build-version", BuildVersion()), ("version.py", PythonVersion()), ("include/torch/version.h", HeaderVersion()), ("include/torch/csrc/api/include/torch/version.h", HeaderVersion()), ("include/torch/headeronly/version.h", HeaderVersion()) })
                if (File.Exists(Path.Combine(prefix, name)) && pattern.Match(File.ReadAllText(Path.Combine(prefix, name))) is { Success: true } match)
                    return (Path.Combine(prefix, "lib"), new Version(int.Parse(match.Groups[1].Value, null), int.Parse(match.Groups[2].Value, null)));
            throw new TorchException($"LIBTORCH={libtorch} does not say which version of libtorch it is");
        }
        throw new TorchException($"LIBTORCH={libtorch} holds no libtorch (no lib/libtorch_cpu.so)");
    }

    private static nint LoadFor(string libtorch, IReadOnlyList<NativeVariant> variants)
    {
        var (libraries, version) = Unpacked(libtorch);
        var cuda = File.Exists(Path.Combine(libraries, "libtorch_cuda.so"));
        var variant = variants.FirstOrDefault(variant => variant is { Distribution: null } && variant.Libtorch == version && variant.IsCuda == cuda)
            ?? throw new TorchException($"LIBTORCH={libtorch} is libtorch {version}{(cuda ? " with CUDA" : "")}, for which the package holds no build ({Names(variants)}); "
                + "make one with eng/pack --libtorch, or build with eng/setup and name it by MVADAPTER_NATIVE");
        Preload(libraries);
        return Checked(LoadFile(variant.Path, $"libmvtorch for libtorch {version} cannot be loaded"), variant);
    }

    private static nint LoadAny(IReadOnlyList<NativeVariant> variants, IReadOnlyList<string> folders)
    {
        // What PyTorch publishes has one name whatever its version: it is taken from packages alone, never from wherever the system finds it.
        if (folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "libtorch_cpu.so"))) is { } packaged
            && variants.FirstOrDefault(variant => variant.Distribution is null) is { } published)
        {
            Preload(packaged);
            return Checked(LoadFile(published.Path, $"the build of libmvtorch for {published.Name} does not fit the one in {packaged}"), published);
        }
        var complaints = new List<string>();
        foreach (var variant in variants.Where(variant => variant.Distribution is not null))
        {
            try
            {
                return NativeLibrary.Load(variant.Path);
            }
            catch (DllNotFoundException e)
            {
                complaints.Add(Reason(e));
            }
        }
        var glibc = complaints.FirstOrDefault(complaint => complaint.Contains("GLIBC", StringComparison.Ordinal));
        throw new TorchException(glibc is not null && complaints.TrueForAll(complaint => complaint.Contains("GLIBC", StringComparison.Ordinal))
            ? $"this system is too old for every build of libmvtorch in the package {Package} ({glibc}); build it with eng/setup and name it by MVADAPTER_NATIVE"
            : $"no libtorch for {Package} ({Names(variants)}) is on this machine: {Advice(variants)}set LIBTORCH to an unpacked one{(complaints.Count > 0 ? $" ({complaints[0]})" : "")}");
    }

    // libtorch tells the version that it was built as among its settings.
    private static unsafe nint Checked(nint library, NativeVariant variant)
    {
        byte* build, parallel;
        if (NativeLibrary.TryGetExport(library, "mvt_configuration", out var function) && ((delegate* unmanaged<byte**, byte**, int>)function)(&build, &parallel) == 0
            && RuntimeVersion().Match(Marshal.PtrToStringUTF8((nint)build) ?? "") is { Success: true } match && match.Groups[1].Value != variant.Libtorch.ToString())
            throw new TorchException($"the libtorch that is loaded is {match.Groups[1].Value}, and libmvtorch was built for {variant.Libtorch}: take packages of one version, or set LIBTORCH");
        return library;
    }

    private static string Advice(IReadOnlyList<NativeVariant> variants)
    {
        var packages = variants.Where(variant => variant.Distribution is not null).OrderBy(variant => variant.Libtorch)
            .Select(variant => $"\"apt-get install libtorch{variant.Libtorch} libopenblas0-openmp\" ({variant.Distribution})");
        return string.Join(" or ", packages) is { Length: > 0 } text ? text + ", or " : "";
    }

    // By the libraries' own names a build that wants them then finds those that are loaded.
    private static void Preload(string folder)
    {
        foreach (var name in new[] { "libc10.so", "libtorch_cpu.so", "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so" })
            if (File.Exists(Path.Combine(folder, name))) LoadFile(Path.Combine(folder, name), $"{Path.Combine(folder, name)} cannot be loaded");
    }

    private static void RefuseOtherMachines()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new TorchException($"there is no package of libmvtorch for {RuntimeInformation.RuntimeIdentifier} yet: build it from native/ (docs/libtorch.md) and name it by MVADAPTER_NATIVE");
        if (RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal))
            throw new TorchException("libtorch needs glibc, and this system (such as Alpine) has musl: take an image of Debian or Ubuntu");
    }

    // Where .NET itself looks for libraries of packages, and where a published program has them.
    private static List<string> Folders(Assembly assembly)
    {
        var known = (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string[] own = [AppContext.BaseDirectory, Path.GetDirectoryName(assembly.Location) ?? ""];
        return [.. own.Concat(own.Select(folder => Path.Combine(folder, "runtimes", "linux-x64", "native"))).Concat(known).Where(folder => folder.Length > 0).Distinct()];
    }

    private static nint LoadFile(string file, string problem)
    {
        try
        {
            return NativeLibrary.Load(file);
        }
        catch (DllNotFoundException e)
        {
            throw new TorchException($"{problem} ({Reason(e)})", e);
        }
    }

    // The first line is .NET's advice on tools, the second what the system's loader says.
    private static string Reason(DllNotFoundException e) => e.Message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is [_, var said, ..] ? said : e.Message;

    private static string Names(IEnumerable<NativeVariant> variants) => string.Join(", ", variants.Select(variant => variant.Name));

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    [GeneratedRegex(@"TORCH_VERSION=(\d+\.\d+)")]
    private static partial Regex RuntimeVersion();

    [GeneratedRegex(@"^(\d+)\.(\d+)")]
    private static partial Regex BuildVersion();

    [GeneratedRegex(@"__version__ = '(\d+)\.(\d+)")]
    private static partial Regex PythonVersion();

    [GeneratedRegex(@"TORCH_VERSION_MAJOR (\d+)[\s\S]*?TORCH_VERSION_MINOR (\d+)")]
    private static partial Regex HeaderVersion();
}

/// <summary>A build of libmvtorch for one libtorch, such as <c>libmvtorch-1.13-debian12.so</c> or <c>libmvtorch-2.10-cuda.so</c>.</summary>
/// <param name="Path">The file.</param>
/// <param name="Libtorch">The version of libtorch that it was built for.</param>
/// <param name="Distribution">The distribution whose libtorch it wants; null for the one that PyTorch publishes.</param>
/// <param name="IsCuda">Whether it wants a libtorch with CUDA.</param>
internal sealed partial record NativeVariant(string Path, Version Libtorch, string? Distribution, bool IsCuda)
{
    /// <summary>What messages call it.</summary>
    public string Name => $"libtorch {Libtorch}{(IsCuda ? " with CUDA" : "")}{(Distribution is null ? "" : $" of {Distribution}")}";

    /// <summary>Reads a file's name; null for another file's.</summary>
    public static NativeVariant? Parse(string path)
    {
        var match = FileName().Match(System.IO.Path.GetFileName(path));
        return match.Success
            ? new NativeVariant(path, Version.Parse(match.Groups["version"].Value), match.Groups["debian"] is { Success: true } debian ? "Debian " + debian.Value : null, match.Groups["cuda"].Success)
            : null;
    }

    [GeneratedRegex(@"^libmvtorch-(?<version>\d+\.\d+)(-debian(?<debian>\d+)|(?<cuda>-cuda))?\.so$")]
    private static partial Regex FileName();
}
