using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using MvAdapter.Evaluation;

namespace MvAdapter.Tests.Evaluation;

public sealed class PngWriterTests
{
    [Fact]
    public void A_picture_comes_back()
    {
        byte[] rgb = [.. Enumerable.Range(0, 5 * 3 * 3).Select(i => (byte)(i * 7))];
        var png = PngWriter.Encode(rgb, 5, 3);
        Assert.Equal([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], png[..8]);

        var header = Chunk(png, 8, "IHDR", out var next);
        Assert.Equal([0, 0, 0, 5, 0, 0, 0, 3, 8, 2, 0, 0, 0], header);
        using var zlib = new ZLibStream(new MemoryStream(Chunk(png, next, "IDAT", out next)), CompressionMode.Decompress);
        using var pixels = new MemoryStream();
        zlib.CopyTo(pixels);
        Assert.Equal(Enumerable.Range(0, 3).SelectMany(row => rgb[(row * 15)..((row + 1) * 15)].Prepend((byte)0)), pixels.ToArray());
        Assert.Empty(Chunk(png, next, "IEND", out next));
        Assert.Equal(png.Length, next);
        // The end's checksum is the same in every PNG file.
        Assert.Equal([0xae, 0x42, 0x60, 0x82], png[^4..]);
    }

    [Fact]
    public void A_data_uri_holds_the_file()
    {
        var uri = PngWriter.DataUri([1, 2, 3], 1, 1);
        Assert.StartsWith("data:image/png;base64,", uri, StringComparison.Ordinal);
        Assert.Equal(PngWriter.Encode([1, 2, 3], 1, 1), Convert.FromBase64String(uri[22..]));
    }

    [Fact]
    public void Sizes_must_fit()
    {
        Assert.Throws<ArgumentException>(() => PngWriter.Encode(new byte[10], 2, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => PngWriter.Encode([], 0, 2));
    }

    private static byte[] Chunk(byte[] png, int position, string type, out int next)
    {
        var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(position));
        Assert.Equal(type, Encoding.ASCII.GetString(png, position + 4, 4));
        next = position + 12 + length;
        return png[(position + 8)..(position + 8 + length)];
    }
}
