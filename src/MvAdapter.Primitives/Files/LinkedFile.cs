namespace MvAdapter.Files;

/// <summary>The files that paths name by way of links.</summary>
public static class LinkedFile
{
    /// <summary>The file at the end of all links; null where there is none, or where links lead in a circle.</summary>
    public static FileInfo? Find(string path)
    {
        try
        {
            var named = new FileInfo(path);
            var file = named.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? named;
            return file.Exists ? file : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return null;
        }
    }
}
