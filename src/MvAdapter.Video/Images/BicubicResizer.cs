using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MvAdapter.Video;

/// <summary>
/// The weights with which one axis of a picture is resized and centre-cropped, in fixed point. Where the picture
/// shrinks the kernel widens with it (antialiasing), so a result may weigh many source pixels.
/// </summary>
internal sealed class ResizeCoefficients
{
    /// <summary>Bits after the point: sums of 8-bit values times weights then fit 32 bits.</summary>
    public const int PrecisionBits = 32 - 8 - 2;

    private const double CubicSupport = 2;
    private readonly int[] weights;
    private readonly int stride;
    private readonly (int First, int Count)[] spans;

    /// <summary>
    /// Weights for the middle <paramref name="cropped"/> of <paramref name="resized"/> pixels made from <paramref name="source"/>, bicubic or
    /// <paramref name="bilinear"/>.
    /// </summary>
    public ResizeCoefficients(int source, int resized, int cropped, bool bilinear = false)
    {
        var offset = (int)Math.Round((resized - cropped) / 2.0);
        var scale = (double)source / resized;
        var filterScale = Math.Max(scale, 1);
        var support = (bilinear ? 1 : CubicSupport) * filterScale;
        // No span can be wider than the source, however strongly the picture shrinks.
        stride = Math.Min((int)Math.Ceiling(support) * 2 + 1, source);
        weights = new int[stride * cropped];
        spans = new (int, int)[cropped];
        var exact = new double[stride];
        for (var i = 0; i < cropped; i++)
        {
            var center = (offset + i + 0.5) * scale;
            var first = Math.Max(0, (int)(center - support + 0.5));
            var count = Math.Min(source, (int)(center + support + 0.5)) - first;
            var sum = 0.0;
            for (var k = 0; k < count; k++)
            {
                var x = Math.Abs((first + k - center + 0.5) / filterScale);
                sum += exact[k] = bilinear ? Math.Max(0, 1 - x) : Cubic(x);
            }
            for (var k = 0; k < count; k++) weights[i * stride + k] = ToFixedPoint(sum == 0 ? exact[k] : exact[k] / sum);
            spans[i] = (first, count);
        }
    }

    /// <summary>Number of results.</summary>
    public int Length => spans.Length;

    /// <summary>The first source index that any result uses.</summary>
    public int Begin => spans[0].First;

    /// <summary>One past the last source index that any result uses.</summary>
    public int End => spans[^1].First + spans[^1].Count;

    /// <summary>The first source index of result <paramref name="i"/>.</summary>
    public int First(int i) => spans[i].First;

    /// <summary>The weights of result <paramref name="i"/>, for the source indices from <see cref="First"/> on.</summary>
    public ReadOnlySpan<int> Weights(int i) => weights.AsSpan(i * stride, spans[i].Count);

    // Keys' cubic with a = -0.5.
    private static double Cubic(double x)
    {
        const double a = -0.5;
        if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < CubicSupport ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }

    private static int ToFixedPoint(double weight) =>
        (int)(weight * (1 << PrecisionBits) + (weight < 0 ? -0.5 : 0.5));
}

/// <summary>Resizes 8-bit RGB in two passes, each rounded to 8 bits: first along the rows, then along the columns.</summary>
internal static class BicubicResizer
{
    private const int Half = 1 << (ResizeCoefficients.PrecisionBits - 1);

    /// <summary>Writes [rows.Length, columns.Length, 3]; only source pixels that the results need are touched.</summary>
    public static void Resize(
        ReadOnlySpan<byte> rgb, int width, ResizeCoefficients columns, ResizeCoefficients rows, Span<byte> destination)
    {
        var stride = columns.Length * 3;
        var used = columns.End - columns.Begin;
        var lines = rows.End - rows.Begin;
        var narrowed = ArrayPool<byte>.Shared.Rent(lines * stride);
        var pixels = ArrayPool<int>.Shared.Rent(used * 4);
        var sums = ArrayPool<int>.Shared.Rent(stride);
        try
        {
            for (var y = 0; y < lines; y++)
            {
                Widen(rgb.Slice(((rows.Begin + y) * width + columns.Begin) * 3, used * 3), pixels);
                ResizeLine(pixels.AsSpan(0, used * 4), columns, narrowed.AsSpan(y * stride, stride));
            }
            for (var y = 0; y < rows.Length; y++)
            {
                var first = (rows.First(y) - rows.Begin) * stride;
                MixLines(narrowed.AsSpan(first), rows.Weights(y), sums.AsSpan(0, stride), destination.Slice(y * stride, stride));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(narrowed);
            ArrayPool<int>.Shared.Return(pixels);
            ArrayPool<int>.Shared.Return(sums);
        }
    }

    // Four integers a pixel, so that one vector holds one pixel.
    private static void Widen(ReadOnlySpan<byte> rgb, int[] pixels)
    {
        for (int from = 0, to = 0; from < rgb.Length; from += 3, to += 4)
        {
            pixels[to + 2] = rgb[from + 2];
            pixels[to + 1] = rgb[from + 1];
            pixels[to] = rgb[from];
        }
    }

    private static void ResizeLine(ReadOnlySpan<int> pixels, ResizeCoefficients columns, Span<byte> destination)
    {
        var vectors = MemoryMarshal.Cast<int, Vector128<int>>(pixels);
        for (var x = 0; x < columns.Length; x++)
        {
            var weights = columns.Weights(x);
            var source = vectors.Slice(columns.First(x) - columns.Begin, weights.Length);
            var sum = Vector128.Create(Half);
            for (var k = 0; k < weights.Length; k++) sum += source[k] * weights[k];
            sum >>= ResizeCoefficients.PrecisionBits;
            sum = Vector128.Clamp(sum, Vector128<int>.Zero, Vector128.Create(255));
            destination[x * 3 + 2] = (byte)sum[2];
            destination[x * 3 + 1] = (byte)sum[1];
            destination[x * 3] = (byte)sum[0];
        }
    }

    private static void MixLines(ReadOnlySpan<byte> lines, ReadOnlySpan<int> weights, Span<int> sums, Span<byte> destination)
    {
        sums.Fill(Half);
        for (var k = 0; k < weights.Length; k++) AddScaled(lines.Slice(k * sums.Length, sums.Length), weights[k], sums);
        for (var i = 0; i < sums.Length; i++)
            destination[i] = (byte)Math.Clamp(sums[i] >> ResizeCoefficients.PrecisionBits, 0, 255);
    }

    private static void AddScaled(ReadOnlySpan<byte> line, int weight, Span<int> sums)
    {
        var i = 0;
        for (; i <= line.Length - Vector<byte>.Count; i += Vector<byte>.Count)
        {
            Vector.Widen(new Vector<byte>(line[i..]), out var low, out var high);
            Vector.Widen(low, out var a, out var b);
            Vector.Widen(high, out var c, out var d);
            var target = MemoryMarshal.Cast<int, Vector<int>>(sums.Slice(i, Vector<byte>.Count));
            target[0] += Vector.AsVectorInt32(a) * weight;
            target[1] += Vector.AsVectorInt32(b) * weight;
            target[2] += Vector.AsVectorInt32(c) * weight;
            target[3] += Vector.AsVectorInt32(d) * weight;
        }
        for (; i < line.Length; i++) sums[i] += line[i] * weight;
    }
}
