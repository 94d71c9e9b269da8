using MvAdapter.Files;
using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>Finds the video files that paths name.</summary>
public static class VideoFiles
{
    /// <summary>
    /// The absolute paths: a file as it is, a folder's videos at any depth, each once, sorted within its folder.
    /// </summary>
    /// <param name="paths">Files and folders.</param>
    /// <param name="unreadable">Told of each folder below them that cannot be read; without, they are passed over.</param>
    /// <param name="pictures">Whether JPEG and PNG pictures are taken too, each by itself; else a folder of nothing but pictures is a video.</param>
    /// <exception cref="InvalidFileException">A path is neither a file nor a folder.</exception>
    public static IReadOnlyList<string> Find(IEnumerable<string> paths, Action<string>? unreadable = null, bool pictures = false)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in paths)
        {
            var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
            if (Directory.Exists(full)) found.UnionWith(VideoFolder.Walk(full, unreadable, pictures));
            else if (File.Exists(full)) found.Add(full);
            else throw new InvalidFileException(path, "there is no such file or folder");
        }
        return [.. found];
    }

    /// <summary>Whether the file, or the folder of pictures, is there; a link whose target is gone, or that leads in a circle, is not.</summary>
    public static bool Exists(string path) => LinkedFile.Find(path) is not null || Directory.Exists(path);

    /// <summary>Whether a file that is not there may be there all the same, in a folder that cannot be read.</summary>
    public static bool IsHidden(string path)
    {
        var folder = Path.GetDirectoryName(path);
        while (folder is not null && !Directory.Exists(folder)) folder = Path.GetDirectoryName(folder);
        try
        {
            if (folder is not null) _ = Directory.EnumerateFileSystemEntries(folder).Any();
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return true;
        }
    }
}
