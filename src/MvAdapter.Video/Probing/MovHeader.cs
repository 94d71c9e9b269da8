using Microsoft.Win32.SafeHandles;
using MvAdapter.Files;

namespace MvAdapter.Video;

/// <summary>
/// Reads from the header of an MP4 or MOV file (ISO/IEC 14496-12) what ffprobe would say of it. Starting ffprobe takes
/// longer than decoding a short clip. Only plain files are answered, in which nothing but the header decides: one
/// video track, in H.264, of one rate, from its first picture to its last. Every doubt is left to ffprobe.
/// </summary>
internal static class MovHeader
{
    // That of a day's film has some 20 MB.
    private const long MaxHeader = 64 << 20;
    private const int MaxBoxes = 100;
    private static readonly string[] Brands =
        ["isom", "iso2", "iso3", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V ", "M4VH", "M4VP", "qt  ", "3gp4", "3gp5", "3gp6"];

    /// <summary>Describes the video; null where ffprobe must be asked.</summary>
    public static VideoInfo? Read(string path)
    {
        try
        {
            // Pipes and devices have no length; to open one may block, and to read it takes what ffmpeg needs.
            if (LinkedFile.Find(path) is not { Length: > 0 }) return null;
            // Shared with everyone, since .NET would lock the file otherwise.
            using var handle = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            return Describe(ReadMovie(handle));
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }

    // Finds the box moov among those of the file, of which only the first bytes are read.
    private static byte[] ReadMovie(SafeFileHandle handle)
    {
        var length = RandomAccess.GetLength(handle);
        (long Start, long End)? movie = null;
        var boxes = 0;
        for (long start = 0, end; start < length; start = end)
        {
            var header = ReadBytes(handle, start, (int)Math.Min(16, length - start));
            var fields = new MovFields(header);
            ulong size = fields.UInt32();
            var type = fields.Type();
            var headerLength = size == 1 ? 16 : 8;
            if (size == 1) size = fields.UInt64();
            MovFields.Demand(size >= (ulong)headerLength && size <= (ulong)(length - start) && boxes++ < MaxBoxes);
            end = start + (long)size;
            switch (type)
            {
                case "ftyp":
                    MovFields.Demand(start == 0 && Brands.Contains(fields.Type()));
                    break;
                case "moov":
                    MovFields.Demand(start > 0 && movie is null);
                    movie = (start + headerLength, end);
                    break;
                case "mdat" or "free" or "skip" or "wide":
                    MovFields.Demand(start > 0);
                    break;
                default: // Fragments, pictures in items and what else may change the meaning.
                    return [];
            }
        }
        return movie is { } found && found.End - found.Start <= MaxHeader
            ? ReadBytes(handle, found.Start, (int)(found.End - found.Start))
            : [];
    }

    private static byte[] ReadBytes(SafeFileHandle handle, long offset, int length)
    {
        var bytes = new byte[length];
        for (int done = 0, count; done < length; done += count)
        {
            count = RandomAccess.Read(handle, bytes.AsSpan(done), offset + done);
            MovFields.Demand(count > 0);
        }
        return bytes;
    }

    private static VideoInfo Describe(ReadOnlyMemory<byte> content)
    {
        var movie = new MovBoxes(content, "mvhd", "iods", "trak", "udta", "free", "skip");
        foreach (var notes in movie.All("udta")) MovTrack.RefuseCover(notes);
        var header = new MovFields(movie.One("mvhd").Span);
        var isLong = header.IsLong();
        header.Skip(isLong ? 16 : 8); // when it was made and changed
        var timeScale = header.UInt32();
        header.Skip(isLong ? 8 : 4); // duration
        header.Skip(16); // rate and volume
        header.DemandIdentity();

        MovTrack? video = null;
        foreach (var track in movie.All("trak").Select(content => new MovTrack(content)))
        {
            // Sound begins at 0 or later, and so never before the pictures; composition offsets could change that.
            if (track.Handler == "soun") MovFields.Demand(track.Samples.Optional("ctts") is null);
            else MovFields.Demand(track.Handler == "vide" && video is null);
            if (track.Handler == "vide") video = track;
        }
        MovFields.Demand(video is not null && timeScale > 0);
        return Describe(video!, timeScale);
    }

    private static VideoInfo Describe(MovTrack track, uint movieTimeScale)
    {
        var header = new MovFields(track.Header.Span);
        header.Skip(header.IsLong() ? 32 : 20); // dates, number, duration
        header.Skip(16); // layer, group, volume
        header.DemandIdentity();

        var times = new MovSampleTimes(track.Samples);
        DemandWhole(track.Duration, times);
        // ffmpeg counts time from the beginning of the edit, or else from 0.
        MovFields.Demand(!track.StartsLate && times.First == (track.Edit?.Start ?? 0));
        if (track.Edit is { } edit) DemandWhole((UInt128)edit.Duration * track.TimeScale / movieTimeScale, times);
        var (width, height) = PictureSize(track.Samples.One("stsd").Span);
        return new VideoInfo
        {
            Width = width,
            Height = height,
            FramesPerSecond = (double)track.TimeScale / times.Step,
            AverageFramesPerSecond = (double)track.TimeScale / times.Step,
            FrameCount = times.Count,
            IsSeekable = true,
            StreamOffset = 0,
            IsYuv = true,
        };
    }

    // Within a frame: durations are rounded. Else ffprobe might count other frames, or doubt that their times are exact.
    private static void DemandWhole(UInt128 duration, MovSampleTimes times) =>
        MovFields.Demand(duration > 0 && duration + times.Step >= times.Total && duration <= times.Total + times.Step);

    private static (int Width, int Height) PictureSize(ReadOnlySpan<byte> descriptions)
    {
        var fields = new MovFields(descriptions);
        fields.Skip(4);
        MovFields.Demand(fields.UInt32() == 1);
        var entry = new MovFields(new MovBoxes(fields.Rest.ToArray(), "avc1").One("avc1").Span);
        entry.Skip(6);
        MovFields.Demand(entry.UInt16() == 1); // data in the first place named, this file
        entry.Skip(16);
        int width = entry.UInt16(), height = entry.UInt16();
        entry.Skip(50); // resolution and names, of no effect
        // Not among them: cropping, further views and layers.
        var parts = new MovBoxes(entry.Rest.ToArray(), "avcC", "pasp", "colr", "btrt", "fiel", "free");
        MovFields.Demand(AvcConfiguration.PictureSize(parts.One("avcC").Span) == (width, height));
        return (width, height);
    }
}
