namespace MvAdapter.Clip;

/// <summary>How far the download of one file has come.</summary>
/// <param name="File">The file's name.</param>
/// <param name="BytesDone">The bytes on disk, those of an earlier attempt included.</param>
/// <param name="BytesTotal">The size of the whole file, where the server says it.</param>
public readonly record struct DownloadProgress(string File, long BytesDone, long? BytesTotal);
