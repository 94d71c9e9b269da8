using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// Short videos that follow each other, put together for one ffmpeg: to start it takes a tenth of a second of a processor,
/// as much as to decode ten seconds of a small video.
/// </summary>
internal static class ShortVideos
{
    /// <summary>The most videos that gain by going together; more gain little, and each takes memory.</summary>
    internal const int Most = 8;

    // By the bytes of files, which cost nothing to ask for and grow with the work: a megabyte is some ten seconds of a small video.
    private const long ShortBytes = 2 << 20;
    private const long BytesTogether = 4 << 20;

    /// <summary>
    /// Groups of videos, in their order. A video of several clips, or a long one, is a group by itself; so are the first ones, since
    /// somebody waits for them and the decoders are all to have work.
    /// </summary>
    /// <param name="videos">The clips of each video; asked for as groups are.</param>
    /// <param name="decoders">How many groups are decoded at once.</param>
    /// <param name="most">The most videos of a group.</param>
    public static IEnumerable<IReadOnlyList<IReadOnlyList<VideoClip>>> Together(IEnumerable<IReadOnlyList<VideoClip>> videos, int decoders, int most = Most)
    {
        var group = new List<IReadOnlyList<VideoClip>>();
        var (bytes, groups) = (0L, 0L);
        foreach (var video in videos)
        {
            var length = video.Count == 1 && video[0].Pictures is null ? Length(video[0].Path) : long.MaxValue;
            var isShort = length <= ShortBytes;
            if (group.Count > 0 && !(isShort && bytes + length <= BytesTogether))
            {
                groups++;
                yield return group;
                (group, bytes) = ([], 0);
            }
            group.Add(video);
            bytes += isShort ? length : 0;
            // One at first, then two, then four.
            if (isShort && group.Count < Math.Min(most, 1 << (int)Math.Min(groups / decoders, 30))) continue;
            groups++;
            yield return group;
            (group, bytes) = ([], 0);
        }
        if (group.Count > 0) yield return group;
    }

    // What is no file is read by itself, which says what it is.
    private static long Length(string path) => LinkedFile.Find(path)?.Length ?? long.MaxValue;
}
