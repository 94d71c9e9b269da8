namespace MvAdapter.Video;

/// <summary>
/// Pictures as CLIP sees them: the short side resized with antialiased bicubic interpolation, the centre cropped,
/// the values normalised. Equal byte for byte to Pillow and torchvision, with which CLIP was trained.
/// </summary>
public sealed class ImageProcessor
{
    private const int MaxSize = 4096;
    private readonly float[][] normalized;

    /// <summary>Makes a processor for square pictures of <paramref name="size"/> pixels; OpenAI's preprocessing by default.</summary>
    public ImageProcessor(int size = 224, Preprocessing? preprocessing = null)
    {
        Preprocessing = preprocessing ?? Preprocessing.Clip;
        var ((meanR, meanG, meanB), (stdR, stdG, stdB)) = (Preprocessing.Mean, Preprocessing.StandardDeviation);
        float[] mean = [meanR, meanG, meanB], deviation = [stdR, stdG, stdB];
        if (size is < 1 or > MaxSize)
            throw new UsageException($"image processor: the picture size must be from 1 to {MaxSize}, not {size}");
        if (!mean.All(float.IsFinite) || !deviation.All(s => float.IsFinite(s) && s > 0))
            throw new UsageException("image processor: mean and std must be three finite numbers each, std greater than 0");
        Size = size;
        normalized = [.. Enumerable.Range(0, 3).Select(channel => Enumerable.Range(0, 256)
            .Select(value => (value / 255f - mean[channel]) / deviation[channel]).ToArray())];
    }

    /// <summary>How pictures are resized and normalised.</summary>
    public Preprocessing Preprocessing { get; }

    /// <summary>Width and height of the result.</summary>
    public int Size { get; }

    /// <summary>The length in bytes of one cropped picture, [size, size, 3].</summary>
    public int PictureLength => Size * Size * 3;

    /// <summary>Resizes and crops an RGB picture [height, width, 3] to [size, size, 3] bytes.</summary>
    public byte[] ResizeAndCrop(ReadOnlySpan<byte> rgb, int width, int height)
    {
        var picture = new byte[PictureLength];
        ResizeAndCrop(rgb, width, height, picture);
        return picture;
    }

    /// <summary>Resizes and crops an RGB picture [height, width, 3] into <paramref name="destination"/>, [size, size, 3].</summary>
    public void ResizeAndCrop(ReadOnlySpan<byte> rgb, int width, int height, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        if (rgb.Length != 3L * width * height) throw new ArgumentException("not 3 * width * height bytes", nameof(rgb));
        if (destination.Length != PictureLength) throw new ArgumentException("not 3 * size * size bytes", nameof(destination));
        var (shortSide, longSide) = (Math.Min(width, height), Math.Max(width, height));
        var longSize = (int)((long)Size * longSide / shortSide);
        var squash = Preprocessing.Resize == ResizeMode.Squash;
        var columns = new ResizeCoefficients(width, squash || width <= height ? Size : longSize, Size, Preprocessing.Bilinear);
        var rows = new ResizeCoefficients(height, squash || height <= width ? Size : longSize, Size, Preprocessing.Bilinear);
        BicubicResizer.Resize(rgb, width, columns, rows, destination);
    }

    /// <summary>Normalises a cropped picture [size, size, 3] into planes [3, size, size].</summary>
    public void Normalize(ReadOnlySpan<byte> picture, Span<float> destination)
    {
        var plane = Size * Size;
        if (picture.Length != 3 * plane) throw new ArgumentException("not 3 * size * size bytes", nameof(picture));
        if (destination.Length != 3 * plane) throw new ArgumentException("not 3 * size * size values", nameof(destination));
        for (var channel = 0; channel < 3; channel++)
        {
            ReadOnlySpan<float> values = normalized[channel];
            var output = destination.Slice(channel * plane, plane);
            for (int i = 0, at = channel; i < output.Length; i++, at += 3) output[i] = values[picture[at]];
        }
    }

    /// <summary>All stages at once: an RGB picture [height, width, 3] to normalised planes [3, size, size].</summary>
    public float[] Process(ReadOnlySpan<byte> rgb, int width, int height)
    {
        var planes = new float[PictureLength];
        Normalize(ResizeAndCrop(rgb, width, height), planes);
        return planes;
    }
}
