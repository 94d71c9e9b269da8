using System.Runtime.InteropServices;

namespace MvAdapter.Torch;

/// <summary>Environment variables for libraries written in C, which .NET's own setting of variables does not reach.</summary>
internal static partial class CVariables
{
    /// <summary>Sets a variable that the user has not set.</summary>
    public static void SetDefault(string name, string value)
    {
        if (OperatingSystem.IsLinux()) _ = SetVariable(name, value, overwrite: 0);
    }

    /// <summary>
    /// libtorch's process groups tell of every try on the standard error stream, through glog or by themselves. What matters comes back as an
    /// error.
    /// </summary>
    public static void Quieten()
    {
        SetDefault("GLOG_minloglevel", "3");
        SetDefault("TORCH_CPP_LOG_LEVEL", "FATAL");
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}
