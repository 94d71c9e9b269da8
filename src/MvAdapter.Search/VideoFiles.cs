namespace MvAdapter.Search;

/// <summary>Finds the video files that paths name.</summary>
public static class VideoFiles
{
    /// <summary>
    /// The absolute paths: a file as it is, a folder's videos at any depth, each once, sorted within its folder.
    /// </summary>
    /// <exception cref="InvalidFileException">A path is neither a file nor a folder.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> paths)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in paths)
        {
            var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
            if (Directory.Exists(full)) found.UnionWith(Datasets.VideoFolder.Walk(full));
            else if (File.Exists(full)) found.Add(full);
            else throw new InvalidFileException(path, "there is no such file or folder");
        }
        return [.. found];
    }

    /// <summary>Whether the file is there; a link whose target is gone is not.</summary>
    public static bool Exists(string path) => File.Exists(path) && (File.ResolveLinkTarget(path, returnFinalTarget: true)?.Exists ?? true);
}
