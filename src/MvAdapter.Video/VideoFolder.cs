namespace MvAdapter.Video;

/// <summary>
/// The videos under a folder, indexed once, found by name in whatever container they are. A folder of pictures, with neither videos nor folders in
/// it, is a video.
/// </summary>
public sealed class VideoFolder
{
    private static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase)
    {
        ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4",
        ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogg", ".ogv", ".ts", ".vob", ".webm", ".wmv",
    };

    private readonly Dictionary<string, string> files = new(StringComparer.Ordinal);
    private readonly string root;

    /// <summary>Indexes the tree under a folder.</summary>
    public VideoFolder(string root)
    {
        if (!Directory.Exists(root)) throw new InvalidFileException(root, "is not a folder: name the one that holds the videos");
        this.root = root;
        // Sorted, so that of two files of one name the same one is taken on every machine.
        foreach (var path in Walk(root).Order(StringComparer.Ordinal)) Add(path);
    }

    /// <summary>The path of a video by its path under the folder, its file name or its stem; null when there is none.</summary>
    public string? Find(string name)
    {
        if (name.Contains('\0', StringComparison.Ordinal)) return null;
        if (files.TryGetValue(name, out var path)) return path;
        var direct = Path.Combine(root, name);
        if (File.Exists(direct) || HoldsPictures(direct)) return direct;
        // The list may name the file as it was uploaded, while the copy at hand was converted.
        var extension = Path.GetExtension(name);
        if (Extensions.Contains(extension)) return files.GetValueOrDefault(name[..^extension.Length]);
        return name.EndsWith('.') ? files.GetValueOrDefault(name[..^1]) : null;
    }

    /// <summary>The path of a picture under the folder; null when it is not there.</summary>
    public string? FindPicture(string name) => Path.GetFullPath(name, Path.GetFullPath(root)) is var path && File.Exists(path) ? path : null;

    private static bool HoldsPictures(string folder) => Directory.Exists(folder) && Directory.EnumerateFiles(folder).Any(Pictures.HasName);

    private void Add(string path)
    {
        var relative = Path.GetRelativePath(root, path);
        files.TryAdd(relative, path);
        files.TryAdd(Path.ChangeExtension(relative, null), path);
        files.TryAdd(Path.GetFileName(path), path);
        files.TryAdd(Path.GetFileNameWithoutExtension(path), path);
    }

    /// <summary>
    /// The videos under a folder at any depth. Links to folders are followed, since videos often lie on another disk;
    /// none is entered twice, since links can form circles.
    /// </summary>
    /// <param name="root">The folder.</param>
    /// <param name="unreadable">Told of each folder that cannot be read; without, they are passed over.</param>
    /// <param name="pictures">Whether each picture is a video by itself; else those beside videos are passed over.</param>
    public static IEnumerable<string> Walk(string root, Action<string>? unreadable = null, bool pictures = false)
    {
        var folders = new Stack<DirectoryInfo>([new DirectoryInfo(root)]);
        HashSet<string> entered = [];
        while (folders.TryPop(out var folder))
        {
            if (!entered.Add(Target(folder))) continue;
            var (leaf, withPictures) = (true, false);
            foreach (var entry in Entries(folder, unreadable))
            {
                if (entry is DirectoryInfo child) folders.Push(child);
                else if (Extensions.Contains(entry.Extension) || (pictures && Pictures.HasName(entry.Name))) yield return entry.FullName;
                else
                {
                    withPictures |= Pictures.HasName(entry.Name);
                    continue;
                }
                leaf = false;
            }
            if (leaf && withPictures) yield return folder.FullName;
        }
    }

    private static FileSystemInfo[] Entries(DirectoryInfo folder, Action<string>? unreadable)
    {
        try
        {
            return [.. folder.EnumerateFileSystemInfos("*", new EnumerationOptions { IgnoreInaccessible = false, AttributesToSkip = FileAttributes.None })];
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            unreadable?.Invoke(folder.FullName);
            return [];
        }
    }

    private static string Target(DirectoryInfo folder)
    {
        try
        {
            return folder.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? folder.FullName;
        }
        catch (IOException)
        {
            return folder.FullName;
        }
    }
}
