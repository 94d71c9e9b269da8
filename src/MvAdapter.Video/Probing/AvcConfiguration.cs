namespace MvAdapter.Video;

/// <summary>What an MP4 file keeps of an H.264 stream beside its pictures (ISO/IEC 14496-15, box avcC).</summary>
internal static class AvcConfiguration
{
    private const int SequenceParameterSet = 7;
    private const int MacroblockSize = 16;
    // 65536 pixels a side: far above what a level of H.264 allows.
    private const uint MaxMacroblocks = 1 << 12;

    /// <summary>The size of the decoded pictures, which must be whole frames of 8-bit 4:2:0.</summary>
    /// <exception cref="InvalidDataException">They are anything else, or it cannot be told.</exception>
    public static (int Width, int Height) PictureSize(ReadOnlySpan<byte> configuration)
    {
        var fields = new MovFields(configuration);
        MovFields.Demand(fields.UInt8() == 1);
        fields.Skip(4); // profile and level, which the parameter set repeats; the length of lengths
        const int countBits = 0x1f;
        MovFields.Demand((fields.UInt8() & countBits) == 1);
        var unit = fields.Bytes(fields.UInt16());
        MovFields.Demand(unit.Length > 1 && (unit[0] & 0x1f) == SequenceParameterSet);
        return PictureSize(new ExpGolombReader(unit[1..]));
    }

    // ITU-T H.264, 7.3.2.1.1.
    private static (int Width, int Height) PictureSize(ExpGolombReader set)
    {
        var profile = set.Bits(8);
        set.Bits(16); // constraints and level
        set.Unsigned(); // its number
        switch (profile)
        {
            case 66 or 77 or 88: // Baseline, Main and Extended are always 8-bit 4:2:0
                break;
            case 100 or 110 or 122 or 244: // High and what extends it
                SkipHighProfile(set);
                break;
            default:
                throw new InvalidDataException("a profile that is rare in files");
        }
        set.Unsigned(); // bits of frame numbers
        SkipPictureOrder(set);
        set.Unsigned(); // reference frames
        set.Flag(); // gaps in frame numbers
        uint columns = set.Unsigned() + 1, rows = set.Unsigned() + 1;
        var wholeFrames = set.Flag();
        MovFields.Demand(wholeFrames && columns <= MaxMacroblocks && rows <= MaxMacroblocks);
        set.Flag(); // how motion is predicted
        int width = (int)columns * MacroblockSize, height = (int)rows * MacroblockSize;
        if (!set.Flag()) return (width, height);

        // Sizes that macroblocks do not fill: units of one chroma sample, which stands for two pixels.
        uint left = set.Unsigned(), right = set.Unsigned(), top = set.Unsigned(), bottom = set.Unsigned();
        MovFields.Demand(left == 0 && top == 0 && right < width / 2 && bottom < height / 2);
        return (width - 2 * (int)right, height - 2 * (int)bottom);
    }

    private static void SkipHighProfile(ExpGolombReader set)
    {
        var chroma = set.Unsigned();
        uint extraLuminanceBits = set.Unsigned(), extraChromaBits = set.Unsigned();
        MovFields.Demand(chroma == 1 && extraLuminanceBits == 0 && extraChromaBits == 0);
        set.Flag(); // lossless
        if (!set.Flag()) return;
        for (var list = 0; list < 8; list++)
            if (set.Flag()) SkipScalingList(set, size: list < 6 ? 16 : 64);
    }

    private static void SkipScalingList(ExpGolombReader set, int size)
    {
        // Once a difference leads to zero, the rest of the list repeats the last value.
        for (int i = 0, scale = 8; i < size && scale != 0; i++) scale = (scale + set.Signed()) & 0xff;
    }

    private static void SkipPictureOrder(ExpGolombReader set)
    {
        switch (set.Unsigned())
        {
            case 0:
                set.Unsigned();
                break;
            case 1:
                set.Flag();
                set.Signed();
                set.Signed();
                var cycle = set.Unsigned();
                MovFields.Demand(cycle <= 255);
                for (var i = 0; i < cycle; i++) set.Signed();
                break;
            case 2:
                break;
            default:
                throw new InvalidDataException("no such order of pictures");
        }
    }
}
