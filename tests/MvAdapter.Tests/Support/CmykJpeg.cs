namespace MvAdapter.Tests.Support;

/// <summary>A picture of one colour as programs for print write it: a baseline JPEG of cyan, magenta, yellow and black, stored inverted as
/// Adobe's marker says. FFmpeg reads such files and writes none.</summary>
internal static class CmykJpeg
{
    /// <summary>Writes 32 x 32 pixels of one colour. The colour seen is close to <c>stored · black / 255</c>, where 255 is no ink.</summary>
    /// <param name="path">The file.</param>
    /// <param name="stored">Cyan, magenta, yellow and black as the file holds them.</param>
    public static void Write(string path, params byte[] stored)
    {
        byte[] ones = [.. Enumerable.Repeat((byte)8, 64)];   // a mean's coefficient is eight times the mean: by this step it is the mean
        byte[] components = [.. Enumerable.Range(1, 4).SelectMany(id => new byte[] { (byte)id, 0x11, 0 })];
        byte[] twelveCodesOfFourBits = [0, 0, 0, 12, .. new byte[12], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
        byte[] endOfBlock = [1, .. new byte[15], 0];
        byte[] scanned = [.. Enumerable.Range(1, 4).SelectMany(id => new byte[] { (byte)id, 0 })];
        File.WriteAllBytes(path,
        [
            0xFF, 0xD8,
            .. Segment(0xEE, [.. "Adobe"u8, 0, 100, 0, 0, 0, 0, 0]),
            .. Segment(0xDB, [0, .. ones]),
            .. Segment(0xC0, [8, 0, 32, 0, 32, 4, .. components]),
            .. Segment(0xC4, [0x00, .. twelveCodesOfFourBits]),
            .. Segment(0xC4, [0x10, .. endOfBlock]),
            .. Segment(0xDA, [4, .. scanned, 0, 63, 0]),
            .. Scan(stored),
            0xFF, 0xD9,
        ]);
    }

    private static byte[] Segment(byte marker, byte[] content) =>
        [0xFF, marker, (byte)((content.Length + 2) >> 8), (byte)(content.Length + 2), .. content];

    /// <summary>Sixteen blocks a component: the first says the mean, the others that nothing changes.</summary>
    private static IEnumerable<byte> Scan(byte[] stored)
    {
        var bits = new System.Text.StringBuilder();
        for (var block = 0; block < 16; block++)
        {
            foreach (var value in stored)
            {
                var difference = block == 0 ? value - 128 : 0;
                var length = difference == 0 ? 0 : int.Log2(Math.Abs(difference)) + 1;
                var written = difference < 0 ? difference + (1 << length) - 1 : difference;
                bits.Append(length.ToString("b4", null)).Append(length == 0 ? "" : written.ToString($"b{length}", null)).Append('0');
            }
        }

        bits.Append('1', (8 - (bits.Length % 8)) % 8);
        foreach (var eight in bits.ToString().Chunk(8))
        {
            var value = Convert.ToByte(new string(eight), 2);
            yield return value;
            if (value == 0xFF)
                yield return 0;   // so that it is no marker
        }
    }
}
