using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>
/// Vectors of about unit length as int8, a quarter of their memory, to find by one quick pass those that may be among the
/// nearest. Row x is kept as s q with the length e of what rounding took: |x - s q| = e. For a query y kept as t v with
/// |y - t v| = f, the Cauchy-Schwarz inequality gives | x·y - s t q·v | &lt;= e |y| + |s q| f: rows further below the best
/// than that cannot be among them.
/// </summary>
internal sealed unsafe class QuantizedMatrix(int width) : IDisposable
{
    /// <summary>Rows scored at once: their scores stay in the processor's first cache.</summary>
    public const int RowsPerStrip = 256;

    /// <summary>Sums of products stay below 2^31 up to this width.</summary>
    public const int MaxWidth = 2048;

    private const int RowsPerBlock = 64 * RowsPerStrip;
    private const int Alignment = 64;
    private const int LargestCode = 127;

    private readonly List<Block> blocks = [];

    /// <summary>The length of a vector.</summary>
    public int Width { get; } = width is >= 1 and <= MaxWidth ? width
        : throw new MvAdapterException($"vectors of {width} numbers cannot be searched: at most {MaxWidth} are possible");

    /// <summary>Bytes of a row; a multiple of a cache line, zero where the vector has ended.</summary>
    public int Stride { get; } = StrideOf(width);

    /// <summary>The number of rows, cleared ones included.</summary>
    public int Count { get; private set; }

    /// <summary>The number of strips.</summary>
    public int Strips => (Count + RowsPerStrip - 1) / RowsPerStrip;

    /// <summary>The bytes of a row of so many numbers.</summary>
    public static int StrideOf(int width) => (width + Alignment - 1) / Alignment * Alignment;

    /// <summary>Puts a vector in a row's place, or in a new one after the last.</summary>
    public void Set(int row, ReadOnlySpan<float> vector)
    {
        var (block, place) = Place(row);
        var scale = Math.Abs(TensorPrimitives.MaxMagnitude(vector)) / LargestCode;
        var codes = new Span<sbyte>(block.Codes + (long)place * Stride, Width);
        var lost = Quantize(vector, codes, scale);
        (block.Scales[place], block.Errors[place]) = (scale, lost);
    }

    /// <summary>Puts a vector that is quantised already in a new row after the last.</summary>
    public void Add(ReadOnlySpan<sbyte> codes, float scale)
    {
        var (block, place) = Place(Count);
        codes.CopyTo(new Span<sbyte>(block.Codes + (long)place * Stride, Stride));
        (block.Scales[place], block.Errors[place]) = (scale, float.PositiveInfinity);   // what rounding took is not known any more
    }

    /// <summary>A row as it is kept: s q.</summary>
    public ReadOnlySpan<sbyte> Row(int row, out float scale)
    {
        var (block, place) = (blocks[row / RowsPerBlock], row % RowsPerBlock);
        scale = block.Scales[place];
        return new ReadOnlySpan<sbyte>(block.Codes + (long)place * Stride, Stride);
    }

    /// <summary>Scores a strip's rows, as far as 8 bits tell.</summary>
    public void Score(int strip, QuantizedQuery query, Span<float> scores)
    {
        var (block, first) = (blocks[strip * RowsPerStrip / RowsPerBlock], strip * RowsPerStrip % RowsPerBlock);
        Score(block.Codes + (long)first * Stride, block.Scales.AsSpan(first, scores.Length), Stride, query, scores);
    }

    /// <summary>Scores rows anywhere in memory.</summary>
    /// <param name="codes">Their codes, each row of <paramref name="stride"/> bytes.</param>
    /// <param name="scales">Their scales.</param>
    /// <param name="stride">Bytes from one row to the next; a multiple of 64.</param>
    /// <param name="query">The query.</param>
    /// <param name="scores">One for each row.</param>
    public static void Score(sbyte* codes, ReadOnlySpan<float> scales, int stride, QuantizedQuery query, Span<float> scores)
    {
        fixed (short* wanted = query.Codes) DotProducts.Compute(codes, scores.Length, stride, wanted, scores);
        TensorPrimitives.Multiply(scores, scales, scores);
        TensorPrimitives.Multiply(scores, query.Scale, scores);
    }

    /// <summary>Scores a strip's rows, and says how far each may be from the exact score.</summary>
    public void Score(int strip, QuantizedQuery query, Span<float> scores, Span<float> margins)
    {
        var (block, first) = (blocks[strip * RowsPerStrip / RowsPerBlock], strip * RowsPerStrip % RowsPerBlock);
        Score(strip, query, scores);
        TensorPrimitives.Multiply(block.Errors.AsSpan(first, scores.Length), query.Length, margins);
        TensorPrimitives.Add(margins, query.Slack, margins);
    }

    /// <summary>How many rows a strip has.</summary>
    public int RowsOf(int strip) => Math.Min(RowsPerStrip, Count - strip * RowsPerStrip);

    public void Dispose()
    {
        foreach (var block in blocks) block.Free();
        blocks.Clear();
        Count = 0;
    }

    private (Block Block, int Place) Place(int row)
    {
        if (row == Count)
        {
            if (Count == blocks.Count * RowsPerBlock) blocks.Add(new Block(Stride));
            Count++;
        }
        return (blocks[row / RowsPerBlock], row % RowsPerBlock);
    }

    // The length of what is lost, rounded upwards.
    private static float Quantize(ReadOnlySpan<float> vector, Span<sbyte> codes, float scale)
    {
        var squares = 0f;
        for (var i = 0; i < vector.Length; i++)
        {
            var code = MathF.Round(vector[i] / scale);
            codes[i] = (sbyte)code;
            var lost = vector[i] - code * scale;
            squares += lost * lost;
        }
        return MathF.Sqrt(squares) * (1 + 1e-3f);
    }

    private sealed class Block(int stride)
    {
        public sbyte* Codes { get; } = Allocate((nuint)(RowsPerBlock * (long)stride));

        public float[] Scales { get; } = new float[RowsPerBlock];

        public float[] Errors { get; } = new float[RowsPerBlock];

        public void Free() => NativeMemory.AlignedFree(Codes);

        private static sbyte* Allocate(nuint bytes)
        {
            var memory = (sbyte*)NativeMemory.AlignedAlloc(bytes, Alignment);
            NativeMemory.Clear(memory, bytes);
            return memory;
        }
    }
}
