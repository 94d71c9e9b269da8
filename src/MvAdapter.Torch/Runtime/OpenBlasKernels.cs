using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace MvAdapter.Torch;

/// <summary>
/// Which of its kernels OpenBLAS takes. It knows processors by their model numbers and gives one that is younger than
/// itself the kernels of 2004, a quarter of the speed; so it is told what the processor can do, unless the user has.
/// </summary>
internal static class OpenBlasKernels
{
    private const string Variable = "OPENBLAS_CORETYPE";

    /// <summary>Sets the variable that OpenBLAS reads when it is loaded, where it is not set.</summary>
    public static void Choose()
    {
        if (Best() is { } kernels) CVariables.SetDefault(Variable, kernels);
    }

    /// <summary>The name of the kernels that are in use; null where another library multiplies.</summary>
    public static unsafe string? Current(nint library) =>
        NativeLibrary.TryGetExport(library, "openblas_get_corename", out var name)
            ? Marshal.PtrToStringAnsi(((delegate* unmanaged<nint>)name)())
            : null;

    private static string? Best() =>
        HasAvx512BFloat16() ? "Cooperlake" : Avx512BW.IsSupported ? "SkylakeX" : Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;

    // Leaf 7, part 1, bit 5 of eax.
    private static bool HasAvx512BFloat16() => Avx512BW.IsSupported && X86Base.CpuId(7, 0).Eax >= 1 && (X86Base.CpuId(7, 1).Eax >> 5 & 1) == 1;
}
