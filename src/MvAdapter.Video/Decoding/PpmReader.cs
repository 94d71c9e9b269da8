using System.Globalization;
using System.Text;

namespace MvAdapter.Video;

/// <summary>Reads the binary PPM pictures that ffmpeg writes one after another; one frame is held at a time.</summary>
internal sealed class PpmReader(MediaOutput output, string path)
{
    private byte[] frame = [];

    /// <summary>The current frame, [height, width, 3].</summary>
    public ReadOnlySpan<byte> Rgb => frame.AsSpan(0, Width * Height * 3);

    /// <summary>Width of the current frame.</summary>
    public int Width { get; private set; }

    /// <summary>Height of the current frame.</summary>
    public int Height { get; private set; }

    /// <summary>Reads the next frame; false at the end of the output, also in the middle of a frame.</summary>
    public bool Next()
    {
        var magic = Word();
        if (magic.Length == 0) return false;
        if (magic != "P6" || !TryNumber(out var width) || !TryNumber(out var height) || Word() != "255"
            || width < 1 || height < 1 || (long)width * height > VideoDecoder.MaxPixels)
            throw new VideoException(path, "ffmpeg sent a frame that cannot be read, or one too large");
        (Width, Height) = (width, height);
        if (frame.Length < width * height * 3) frame = new byte[width * height * 3];
        return output.Fill(frame.AsSpan(0, width * height * 3)) == width * height * 3;
    }

    private bool TryNumber(out int number) =>
        int.TryParse(Word(), NumberStyles.None, CultureInfo.InvariantCulture, out number);

    // The word up to the next white space, which is consumed; empty at the end of the output.
    private string Word()
    {
        Span<byte> word = stackalloc byte[16];
        for (var length = 0; length < word.Length; length++)
        {
            if (output.Fill(word.Slice(length, 1)) == 0) return "";
            if (word[length] is (byte)' ' or (byte)'\n') return Encoding.ASCII.GetString(word[..length]);
        }
        throw new VideoException(path, "ffmpeg sent a frame that cannot be read");
    }
}
