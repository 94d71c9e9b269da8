namespace MvAdapter.Video;

/// <summary>Reads the bits of an H.264 parameter set (ITU-T H.264, 7.2 and 9.1); none beyond its end.</summary>
internal sealed class ExpGolombReader
{
    private readonly byte[] bytes;
    private int position;

    /// <summary>Takes the bytes after a unit's first, with the ones that prevent start codes still among them.</summary>
    public ExpGolombReader(ReadOnlySpan<byte> escaped)
    {
        var plain = new List<byte>(escaped.Length);
        var zeros = 0;
        foreach (var value in escaped)
        {
            // After two zeros a 3 is no content.
            if (zeros < 2 || value != 3) plain.Add(value);
            zeros = value == 0 ? zeros + 1 : 0;
        }
        bytes = [.. plain];
    }

    public bool Flag() => Bits(1) == 1;

    public uint Bits(int count)
    {
        MovFields.Demand(position + count <= bytes.Length * 8);
        var value = 0u;
        for (; count > 0; count--, position++) value = value << 1 | (uint)(bytes[position / 8] >> (7 - position % 8) & 1);
        return value;
    }

    /// <summary>A number that as many zeros announce as it has bits after its first.</summary>
    public uint Unsigned()
    {
        var zeros = 0;
        while (!Flag()) zeros++;
        MovFields.Demand(zeros < 31);
        return (1u << zeros) - 1 + Bits(zeros);
    }

    /// <summary>The same with a sign: 0, 1, -1, 2, -2, ...</summary>
    public int Signed()
    {
        var code = Unsigned();
        return code % 2 == 1 ? (int)(code / 2) + 1 : -(int)(code / 2);
    }
}
