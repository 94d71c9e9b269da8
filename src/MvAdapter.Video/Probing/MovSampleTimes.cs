namespace MvAdapter.Video;

/// <summary>When the samples of a video track are played, all for equally long.</summary>
internal sealed class MovSampleTimes
{
    // What is larger ffmpeg takes for damage.
    private const uint MaxOffset = 1 << 28;
    private const uint MaxSize = 1 << 30;

    /// <summary>Reads the tables, which must agree on the number of samples.</summary>
    /// <exception cref="InvalidDataException">They do not, or the samples' durations vary.</exception>
    public MovSampleTimes(MovBoxes samples)
    {
        ReadSteps(new MovFields(samples.One("stts").Span));
        if (samples.Optional("ctts") is { } offsets) First = ReadOffsets(new MovFields(offsets.Span));
        DemandSizes(new MovFields(samples.One("stsz").Span));
        var chunks = samples.Optional("stco") is { } narrow
            ? CountChunks(narrow.Span, sizeof(uint), samples.Optional("co64") is null)
            : CountChunks(samples.One("co64").Span, sizeof(ulong), true);
        DemandChunks(new MovFields(samples.One("stsc").Span), chunks);
    }

    /// <summary>The number of samples, a frame each.</summary>
    public int Count { get; private set; }

    /// <summary>Units of time from a sample to the next.</summary>
    public uint Step { get; private set; }

    /// <summary>Units of time in all.</summary>
    public ulong Total => (ulong)Count * Step;

    /// <summary>When the first sample shows; none does earlier.</summary>
    public uint First { get; }

    private static uint Entries(ref MovFields table, int entryLength)
    {
        table.Skip(4);
        var count = table.UInt32();
        MovFields.Demand(count > 0 && (ulong)count * (uint)entryLength == (uint)table.Rest.Length);
        return count;
    }

    private void ReadSteps(MovFields table)
    {
        // With a second entry, even for the last sample alone, ffprobe's rates follow from more than the tables.
        MovFields.Demand(Entries(ref table, 8) == 1);
        uint count = table.UInt32(), step = table.UInt32();
        MovFields.Demand(count is > 0 and <= int.MaxValue && step is > 0 and <= int.MaxValue);
        Count = (int)count;
        Step = step;
    }

    private uint ReadOffsets(MovFields table)
    {
        var entries = Entries(ref table, 8);
        uint first = 0;
        ulong done = 0;
        for (var i = 0; i < entries; i++)
        {
            uint count = table.UInt32(), offset = table.UInt32();
            if (i == 0) first = offset;
            MovFields.Demand(count > 0 && offset < MaxOffset && done * Step + offset >= first);
            done += count;
        }
        MovFields.Demand(done == (ulong)Count);
        return first;
    }

    private void DemandSizes(MovFields table)
    {
        table.Skip(4);
        var sizeOfAll = table.UInt32();
        var count = table.UInt32();
        MovFields.Demand(count == Count && sizeOfAll < MaxSize);
        for (var i = 0; sizeOfAll == 0 && i < Count; i++) MovFields.Demand(table.UInt32() < MaxSize);
    }

    private static uint CountChunks(ReadOnlySpan<byte> box, int offsetLength, bool isAlone)
    {
        MovFields.Demand(isAlone);
        var table = new MovFields(box);
        return Entries(ref table, offsetLength);
    }

    // Each entry holds from its chunk to that of the next.
    private void DemandChunks(MovFields table, uint chunks)
    {
        var entries = Entries(ref table, 12);
        ulong samples = 0;
        uint perChunk = 0, before = 1;
        for (var i = 0; i < entries; i++)
        {
            var chunk = table.UInt32();
            MovFields.Demand(i == 0 ? chunk == 1 : chunk > before && chunk <= chunks);
            samples += (ulong)(chunk - before) * perChunk;
            perChunk = table.UInt32();
            MovFields.Demand(perChunk is > 0 and <= int.MaxValue && table.UInt32() == 1);
            before = chunk;
        }
        samples += ((ulong)chunks - before + 1) * perChunk;
        MovFields.Demand(samples == (ulong)Count);
    }
}
