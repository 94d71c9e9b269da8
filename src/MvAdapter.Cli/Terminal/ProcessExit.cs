using System.Runtime.InteropServices;

namespace MvAdapter.Cli;

/// <summary>Leaves the process while native code still runs on another thread.</summary>
internal static partial class ProcessExit
{
    // A normal exit would tear down libtorch under the feet of the thread that is inside it.
    public static void AtOnce(int code)
    {
        if (OperatingSystem.IsWindows()) Environment.Exit(code);
        Leave(code);
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Leave(int code);
}
