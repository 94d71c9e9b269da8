using System.Text.Json;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>Clips that all workers decode, a part each, for the first to keep: in the order in which one would decode them.</summary>
public static class DividedReader
{
    /// <summary>Reads clips with the help of the others, which call <see cref="Help"/> meanwhile.</summary>
    /// <param name="workers">The workers, of which this is the first.</param>
    /// <param name="read">Reads this worker's part.</param>
    public static ClipReader Of(Workers workers, ClipReader read) => (clips, cancellation) =>
    {
        VideoClip[] all = [.. clips];
        workers.Gather(JsonSerializer.Serialize(all));
        return Rounds(workers, read, all, cancellation);
    };

    /// <summary>Decodes this worker's part of what the first reads.</summary>
    /// <param name="workers">The workers, of which this is not the first.</param>
    /// <param name="read">Reads this worker's part.</param>
    /// <param name="cancellation">Ends the work between clips.</param>
    public static void Help(Workers workers, ClipReader read, CancellationToken cancellation = default)
    {
        var all = JsonSerializer.Deserialize<VideoClip[]>(workers.Gather("")[0])!;
        foreach (var _ in Rounds(workers, read, all, cancellation)) { }
    }

    // One clip of each worker a round; what each has decoded ahead evens out that they take their time.
    private static IEnumerable<VideoFrames> Rounds(Workers workers, ClipReader read, VideoClip[] all, CancellationToken cancellation)
    {
        using var own = read(all.Where((_, i) => i % workers.Count == workers.Rank), cancellation).GetEnumerator();
        for (var first = 0; first < all.Length; first += workers.Count)
        {
            var parts = workers.Gather<byte>(first + workers.Rank < all.Length && own.MoveNext() ? Write(own.Current) : []);
            if (!workers.IsFirst) continue;
            for (var i = first; i < Math.Min(first + workers.Count, all.Length); i++) yield return Read(all[i], parts[i - first]);
        }
    }

    private static byte[] Write(VideoFrames video)
    {
        using var stream = new MemoryStream();
        using (var writer = new BinaryWriter(stream))
        {
            writer.Write(video.Error?.Reason ?? "");
            writer.Write(video.Taken.FramesPerSecond);
            writer.Write(video.Taken.Numbers.Count);
            foreach (var number in video.Taken.Numbers) writer.Write(number);
            writer.Write(video.Pixels);
        }
        return stream.ToArray();
    }

    private static VideoFrames Read(VideoClip clip, byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        using var reader = new BinaryReader(stream);
        var reason = reader.ReadString();
        var rate = reader.ReadDouble();
        var numbers = new int[reader.ReadInt32()];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = reader.ReadInt32();
        return reason.Length > 0 ? new VideoFrames(clip, new VideoException(clip.Path, reason))
            : new VideoFrames(clip, reader.ReadBytes(bytes.Length - (int)stream.Position), new TakenFrames(numbers, rate));
    }
}
