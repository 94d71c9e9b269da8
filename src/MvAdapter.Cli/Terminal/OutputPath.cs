namespace MvAdapter.Cli;

/// <summary>Checks an output before hours of work go into it.</summary>
internal static class OutputPath
{
    /// <summary>Makes the file's folder, with those above it, and refuses a folder in the file's place.</summary>
    public static void Check(string path)
    {
        if (path.Length == 0) throw new UsageException("--output is empty");
        if (Directory.Exists(path)) throw new UsageException($"--output {TextForMessage.Quote(path)} is a folder; give a file");
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;   // only of the root is there none, and that is a folder
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"the folder {TextForMessage.Quote(folder)} cannot be made ({TextForMessage.Quote(e.Message)}); choose another --output");
        }
    }

    /// <summary>Refuses a file in a folder's place.</summary>
    public static void CheckFolder(string path)
    {
        if (path.Length == 0) throw new UsageException("--output is empty");
        if (File.Exists(path)) throw new UsageException($"--output {TextForMessage.Quote(path)} is a file; give a folder");
    }
}
