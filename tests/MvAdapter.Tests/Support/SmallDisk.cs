using System.Diagnostics;

namespace MvAdapter.Tests.Support;

/// <summary>A file system of a few megabytes, in memory. Mounting one takes rights that not every machine gives.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    private string Ballast => System.IO.Path.Combine(Path, "ballast");

    /// <summary>Mounts one; the test is skipped where that is not allowed.</summary>
    public static SmallDisk Mount(string path, int megabytes)
    {
        Directory.CreateDirectory(path);
        Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", path), "a small file system cannot be mounted here");
        return new SmallDisk(path);
    }

    /// <summary>Takes all the room that is left.</summary>
    public void Fill()
    {
        using var stream = new FileStream(Ballast, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true) stream.Write(block);
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>From now on nothing on it can be changed, not even by root.</summary>
    public void ForbidWriting() => Assert.True(Run("mount", "-o", "remount,ro", Path));

    /// <summary>Gives the room back.</summary>
    public void Free() => File.Delete(Ballast);

    public void Dispose() => Run("umount", "-l", Path);

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;   // there is no such program
        }
    }
}
