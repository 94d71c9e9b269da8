using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>A query as the quick pass takes it: int16, so that nearly all of what rounding loses is the rows'.</summary>
internal sealed class QuantizedQuery
{
    private const int LargestCode = 8191;

    public QuantizedQuery(ReadOnlySpan<float> vector, int stride)
    {
        Codes = new short[stride];
        Length = TensorPrimitives.Norm(vector);
        Scale = Math.Abs(TensorPrimitives.MaxMagnitude(vector)) / LargestCode;
        var squares = 0.0;
        for (var i = 0; i < vector.Length; i++)
        {
            Codes[i] = (short)MathF.Round(vector[i] / Scale);
            var lost = vector[i] - (double)Codes[i] * Scale;
            squares += lost * lost;
        }
        // |s q| f, where |s q| is hardly above 1; and what float32 takes from exact scores and from these: a rounding for
        // each product and sum.
        const float longestRow = 1.1f;
        Slack = longestRow * ((float)Math.Sqrt(squares) + (vector.Length + 16) * MathF.ScaleB(1, -23));
    }

    /// <summary>The codes v, zero where the vector has ended.</summary>
    public short[] Codes { get; }

    /// <summary>The scale t.</summary>
    public float Scale { get; }

    /// <summary>The vector's length.</summary>
    public float Length { get; }

    /// <summary>How far a score may be off whatever the row.</summary>
    public float Slack { get; }

    /// <summary>The vector, nearly: t v.</summary>
    public float[] ToVector(int width)
    {
        var vector = new float[width];
        TensorPrimitives.ConvertTruncating<short, float>(Codes.AsSpan(0, width), vector);
        TensorPrimitives.Multiply(vector, Scale, vector);
        return vector;
    }
}
