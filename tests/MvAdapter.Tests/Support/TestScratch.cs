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
        LetThrough(folder.Path);
        Environment.SetEnvironmentVariable("TMPDIR", folder.Path);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => folder.Dispose();
    }

    /// <summary>Lets other users pass through a folder: where the tests run as root, PostgreSQL runs as somebody else.</summary>
    public static void LetThrough(string folder)
    {
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
    }
}
