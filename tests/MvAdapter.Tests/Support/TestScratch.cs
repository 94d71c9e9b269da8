using System.Runtime.CompilerServices;
using MvAdapter.Files;

namespace MvAdapter.Tests.Support;

/// <summary>One temporary folder for all that the tests and what they start write: it goes with them, and where they are killed with the next ones.</summary>
internal static class TestScratch
{
    [ModuleInitializer]
    internal static void Begin()
    {
        var folder = new ScratchFolder("mvadapter-tests");
        // PostgreSQL, which does not run as root, must be able to pass through.
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder.Path, File.GetUnixFileMode(folder.Path) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        Environment.SetEnvironmentVariable("TMPDIR", folder.Path);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
    }
}
