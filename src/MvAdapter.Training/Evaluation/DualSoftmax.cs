using System.Numerics.Tensors;

namespace MvAdapter.Evaluation;

/// <summary>
/// The dual softmax of CAMoE (arXiv 2109.04290): each similarity is multiplied by the share that its query has among all
/// queries for that candidate, so a candidate that everything resembles loses weight. It looks at all queries of the test
/// at once, which an application cannot, so figures made with it compare only with others made the same way.
/// </summary>
public static class DualSoftmax
{
    /// <summary>
    /// For ranking videos: <c>s[t,v] * softmax over t of (s[t,v] / temperature)</c>. For cosine similarities the usual
    /// temperature is 0.01, CLIP's.
    /// </summary>
    public static SimilarityMatrix ForTextToVideo(SimilarityMatrix similarity, double temperature)
    {
        Check(similarity, temperature);
        var (texts, videos) = (similarity.Texts, similarity.Videos);
        var largest = new float[videos];
        Array.Fill(largest, float.NegativeInfinity);
        for (var text = 0; text < texts; text++) TensorPrimitives.Max(largest, similarity.Row(text), largest);

        var weighted = SimilarityMatrix.Allocate(texts, videos);
        var sum = new float[videos];
        for (var text = 0; text < texts; text++)
        {
            var row = weighted.AsSpan(text * videos, videos);
            Exponential(similarity.Row(text), largest, temperature, row);
            TensorPrimitives.Add(sum, row, sum);
        }
        for (var text = 0; text < texts; text++)
        {
            var row = weighted.AsSpan(text * videos, videos);
            TensorPrimitives.Divide(row, sum, row);
            TensorPrimitives.Multiply(row, similarity.Row(text), row);
        }
        return new SimilarityMatrix(texts, videos, weighted);
    }

    /// <summary>For ranking texts: <c>s[t,v] * softmax over v of (s[t,v] / temperature)</c>.</summary>
    public static SimilarityMatrix ForVideoToText(SimilarityMatrix similarity, double temperature)
    {
        Check(similarity, temperature);
        var (texts, videos) = (similarity.Texts, similarity.Videos);
        var weighted = SimilarityMatrix.Allocate(texts, videos);
        var largest = new float[videos];
        for (var text = 0; text < texts && videos > 0; text++)
        {
            var row = weighted.AsSpan(text * videos, videos);
            Array.Fill(largest, TensorPrimitives.Max(similarity.Row(text)));
            Exponential(similarity.Row(text), largest, temperature, row);
            TensorPrimitives.Divide(row, TensorPrimitives.Sum<float>(row), row);
            TensorPrimitives.Multiply(row, similarity.Row(text), row);
        }
        return new SimilarityMatrix(texts, videos, weighted);
    }

    /// <summary>exp((score - largest) / temperature), which cannot overflow.</summary>
    private static void Exponential(
        ReadOnlySpan<float> scores, ReadOnlySpan<float> largest, double temperature, Span<float> result)
    {
        TensorPrimitives.Subtract(scores, largest, result);
        TensorPrimitives.Multiply(result, (float)(1 / temperature), result);
        TensorPrimitives.Exp(result, result);
    }

    private static void Check(SimilarityMatrix similarity, double temperature)
    {
        ArgumentNullException.ThrowIfNull(similarity);
        if (!(temperature >= 1e-6 && double.IsFinite(temperature)))
            throw new UsageException("the temperature of the dual softmax must be a positive number, such as 0.01");
    }
}
