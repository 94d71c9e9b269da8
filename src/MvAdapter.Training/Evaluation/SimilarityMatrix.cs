using System.Numerics.Tensors;

namespace MvAdapter.Evaluation;

/// <summary>How alike every text is to every video: one row a text, one column a video.</summary>
public sealed class SimilarityMatrix
{
    private const int TextsPerBlock = 32;
    private readonly float[] values;

    /// <summary>Wraps similarities in row-major order; they must all be finite, since a NaN has no rank.</summary>
    public SimilarityMatrix(int texts, int videos, float[] values)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(texts);
        ArgumentOutOfRangeException.ThrowIfNegative(videos);
        ArgumentNullException.ThrowIfNull(values);
        if ((long)texts * videos != values.Length)
            throw new ArgumentException($"{values.Length} values do not make a {texts} x {videos} matrix", nameof(values));
        if (values.Length > 0 && !TensorPrimitives.IsFiniteAll<float>(values))
            throw new MvAdapterException(
                "some similarities are not finite numbers, so nothing can be ranked: the model's weights have diverged or are damaged");
        (Texts, Videos, this.values) = (texts, videos, values);
    }

    /// <summary>The number of rows.</summary>
    public int Texts { get; }

    /// <summary>The number of columns.</summary>
    public int Videos { get; }

    /// <summary>The similarity of a text and a video.</summary>
    public float this[int text, int video] => Row(text)[video];

    /// <summary>The similarities of one text to all videos.</summary>
    public ReadOnlySpan<float> Row(int text) => values.AsSpan(checked(text * Videos), Videos);

    /// <summary>Dot products of embeddings, [texts, dimension] and [videos, dimension] in row-major order.</summary>
    public static SimilarityMatrix FromEmbeddings(float[] texts, float[] videos, int dimension)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(videos);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(dimension);
        if (texts.Length % dimension != 0 || videos.Length % dimension != 0)
            throw new ArgumentException($"the embeddings are not rows of {dimension} numbers", nameof(dimension));

        var (rows, columns) = (texts.Length / dimension, videos.Length / dimension);
        var values = Allocate(rows, columns);
        // A block of texts stays in the cache while all videos pass by once.
        Parallel.For(0, (rows + TextsPerBlock - 1) / TextsPerBlock, block =>
        {
            var end = Math.Min(rows, (block + 1) * TextsPerBlock);
            for (var video = 0; video < columns; video++)
            {
                var videoEmbedding = videos.AsSpan(video * dimension, dimension);
                for (var text = block * TextsPerBlock; text < end; text++)
                    values[(text * columns) + video] =
                        TensorPrimitives.Dot(texts.AsSpan(text * dimension, dimension), videoEmbedding);
            }
        });
        return new SimilarityMatrix(rows, columns, values);
    }

    internal static float[] Allocate(int texts, int videos) =>
        (long)texts * videos <= Array.MaxLength
            ? new float[texts * videos]
            : throw new MvAdapterException(
                $"{texts} texts times {videos} videos do not fit into one similarity matrix: evaluate fewer at a time");
}
