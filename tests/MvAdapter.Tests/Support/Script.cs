namespace MvAdapter.Tests.Support;

/// <summary>A shell script that stands in for a program.</summary>
internal static class Script
{
    public static string Write(TemporaryFolder folder, string name, string commands)
    {
        var path = folder.Write(name, "#!/bin/sh\n" + commands);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
