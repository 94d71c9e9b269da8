namespace MvAdapter.Files;

/// <summary>
/// A folder in the system's temporary one, which goes when it is disposed of. A process that was killed leaves its own behind; the next process
/// that makes one of the same kind deletes it.
/// </summary>
public sealed class ScratchFolder : IDisposable
{
    // Held open as long as the folder is in use: the system lets go of it when a process dies, however it dies.
    private const string Holder = "in-use";

    // A folder that has just been made may not be held yet.
    private static readonly TimeSpan Young = TimeSpan.FromMinutes(1);
    private readonly FileStream held;

    /// <summary>Makes one.</summary>
    /// <param name="kind">What its name begins with.</param>
    /// <exception cref="MvAdapterException">The temporary folder cannot be written.</exception>
    public ScratchFolder(string kind)
    {
        DeleteAbandoned(kind);
        try
        {
            Path = Directory.CreateTempSubdirectory(kind + "-").FullName;
            held = Hold(Path, FileMode.CreateNew);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(System.IO.Path.GetTempPath())}: no temporary files can be written there ({TextForMessage.Quote(e.Message, 120)}); TMPDIR names another folder", e);
        }
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>The path of a file in it that is not there yet. Whoever makes it may delete it before the folder goes.</summary>
    /// <param name="extension">How its name ends, with the dot.</param>
    public string NextFile(string extension = "") => System.IO.Path.Combine(Path, Guid.NewGuid().ToString("N") + extension);

    /// <summary>The files that are in it now.</summary>
    public IEnumerable<string> Files() => Directory.EnumerateFiles(Path).Where(file => System.IO.Path.GetFileName(file) != Holder);

    /// <summary>Deletes it with all that is in it.</summary>
    public void Dispose()
    {
        held.Dispose();
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }

    private static FileStream Hold(string folder, FileMode mode) =>
        new(System.IO.Path.Combine(folder, Holder), mode, FileAccess.ReadWrite, FileShare.None);

    private static void DeleteAbandoned(string kind)
    {
        try
        {
            foreach (var folder in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), kind + "-*"))
                DeleteIfAbandoned(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What cannot be tidied up is no reason not to work.
        }
    }

    private static void DeleteIfAbandoned(string folder)
    {
        try
        {
            var holder = System.IO.Path.Combine(folder, Holder);
            if (!System.IO.File.Exists(holder) || DateTime.UtcNow - System.IO.File.GetLastWriteTimeUtc(holder) < Young) return;
            Hold(folder, FileMode.Open).Dispose();
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Somebody's who works, or another user's.
        }
    }
}
