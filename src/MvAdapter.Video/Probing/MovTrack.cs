namespace MvAdapter.Video;

/// <summary>A track of an MP4 or MOV file: pictures or sound, and when they play.</summary>
internal sealed class MovTrack
{
    private const uint NormalSpeed = 1 << 16;

    /// <summary>Reads a track's box.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or not plain.</exception>
    public MovTrack(ReadOnlyMemory<byte> content)
    {
        // Not among them: references to other tracks (chapters, time codes) and metadata.
        var track = new MovBoxes(content, "tkhd", "edts", "mdia", "udta", "free", "skip");
        Header = track.One("tkhd");
        foreach (var notes in track.All("udta")) RefuseCover(notes);
        if (track.Optional("edts") is { } edits) ReadEdits(new MovBoxes(edits, "elst").One("elst").Span);
        var media = new MovBoxes(track.One("mdia"), "mdhd", "hdlr", "minf", "free", "skip");
        ReadMediaHeader(media.One("mdhd").Span);
        var handler = new MovFields(media.One("hdlr").Span);
        handler.Skip(8);
        Handler = handler.Type();
        var information = new MovBoxes(media.One("minf"), "vmhd", "smhd", "dinf", "stbl", "hdlr", "free", "skip");
        DemandOwnFile(new MovBoxes(information.One("dinf"), "dref").One("dref").Span);
        Samples = new MovBoxes(information.One("stbl"),
            "stsd", "stts", "ctts", "stss", "stsc", "stsz", "stco", "co64", "sgpd", "sbgp", "sdtp", "free", "skip");
    }

    /// <summary>What the track holds: vide, soun and others.</summary>
    public string Handler { get; }

    /// <summary>The box tkhd.</summary>
    public ReadOnlyMemory<byte> Header { get; }

    /// <summary>The boxes of stbl, which describe the samples.</summary>
    public MovBoxes Samples { get; }

    /// <summary>Units of the track's times in a second.</summary>
    public uint TimeScale { get; private set; }

    /// <summary>Its duration in these units.</summary>
    public ulong Duration { get; private set; }

    /// <summary>Which part of the track plays; null without an edit list. The duration is in units of the whole file.</summary>
    public (ulong Duration, long Start)? Edit { get; private set; }

    /// <summary>Whether a pause stands before that part.</summary>
    public bool StartsLate { get; private set; }

    /// <summary>Refuses notes with a cover picture, which is a video stream to ffmpeg.</summary>
    public static void RefuseCover(ReadOnlyMemory<byte> notes) => MovFields.Demand(notes.Span.IndexOf("covr"u8) < 0);

    private void ReadMediaHeader(ReadOnlySpan<byte> box)
    {
        var fields = new MovFields(box);
        var isLong = fields.IsLong();
        fields.Skip(isLong ? 16 : 8); // when it was made and changed
        TimeScale = fields.UInt32();
        Duration = fields.Time(isLong);
        MovFields.Demand(TimeScale is > 0 and <= int.MaxValue);
    }

    private void ReadEdits(ReadOnlySpan<byte> box)
    {
        var fields = new MovFields(box);
        var isLong = fields.IsLong();
        var count = fields.UInt32();
        MovFields.Demand(count is 1 or 2);
        for (var i = 0; i < count; i++)
        {
            var duration = fields.Time(isLong);
            var start = isLong ? (long)fields.UInt64() : (int)fields.UInt32();
            MovFields.Demand(fields.UInt32() == NormalSpeed);
            if (i == 0 && count == 2)
            {
                MovFields.Demand(start == -1);
                StartsLate = true;
            }
            else
            {
                MovFields.Demand(start >= 0);
                Edit = (duration, start);
            }
        }
    }

    private static void DemandOwnFile(ReadOnlySpan<byte> box)
    {
        var fields = new MovFields(box);
        fields.Skip(4);
        MovFields.Demand(fields.UInt32() == 1);
        fields.Skip(8); // the only entry's length and type
        const uint inThisFile = 1;
        MovFields.Demand((fields.UInt32() & inThisFile) != 0);
    }
}
