using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Win32.SafeHandles;
using MvAdapter.Search;
using MvAdapter.Video;

namespace MvAdapter.Server;

/// <summary>Opens the files of an index, and no others.</summary>
internal sealed class IndexedFile(ClipStore store)
{
    private static readonly FileExtensionContentTypeProvider Types = new();

    /// <summary>
    /// Opens a clip's file, provided that it is what was indexed. What counts is what has been opened, not what its name
    /// is: a link that now leads elsewhere does not get another file out.
    /// </summary>
    /// <exception cref="NotFoundException">It is gone.</exception>
    /// <exception cref="InvalidFileException">It is another file now.</exception>
    public FileStream Open(ClipCollection collection, IndexedClip clip)
    {
        var entry = store.FindVideo(collection, clip.Path)?.Entry
            ?? throw new NotFoundException($"the video of clip {clip.Id} is not in the index any more");
        if (Directory.Exists(entry.Path))
        {
            if (FileFingerprint.Of(entry.Path)?.Hash != entry.Hash) throw Changed(entry);
            return new FileStream(Pictures.In(entry.Path)[0], FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        // Size first: a pipe has none, and opening one would wait for its writer.
        if (!File.Exists(entry.Path))
            throw new NotFoundException(
                $"{TextForMessage.Quote(entry.Path)} is not there any more; \"index prune\" takes it out of the index");
        if (Size(entry.Path) != entry.Size) throw Changed(entry);
        var handle = Open(entry);
        try
        {
            if (FileFingerprint.HashEnds(handle, entry.Path) != entry.Hash) throw Changed(entry);
            return new FileStream(handle, FileAccess.Read, bufferSize: 0);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>What kind of video a file is, by its name; nothing but a video's kind.</summary>
    public static string ContentType(string path) =>
        Types.TryGetContentType(path, out var type)
            && type.StartsWith("video/", StringComparison.Ordinal) ? type : "application/octet-stream";

    private static SafeFileHandle Open(VideoEntry entry)
    {
        try
        {
            return File.OpenHandle(entry.Path, options: FileOptions.Asynchronous);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NotFoundException($"{TextForMessage.Quote(entry.Path)} cannot be read");
        }
    }

    private static long Size(string path) =>
        new FileInfo(path) is var file && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : file.Length;

    private static InvalidFileException Changed(VideoEntry entry) =>
        new(entry.Path, "is not the file that was indexed; \"index add\" takes it in again");
}
