using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// What is looked for: words, what is not to be seen, and clips that are examples of it. Each becomes a vector, and the query is their
/// weighted sum in the space that texts and videos share.
/// </summary>
/// <param name="Words">What is to be seen; empty where examples alone say it.</param>
/// <param name="Without">What is not to be seen.</param>
public sealed record QueryMix(string Words, IReadOnlyList<string> Without)
{
    // Less than the whole: two captions have much in common that is not what they say, and taking all of one away takes that too.
    private const float WeightWithout = 0.5f;

    /// <summary>
    /// Reads a query: a word that begins with a minus, or words in quotes after one, are not to be seen, as in <c>a dog -rain</c> or
    /// <c>a dog -"heavy rain"</c>. A minus within a word is none.
    /// </summary>
    /// <exception cref="UsageException">It says only what is not to be seen.</exception>
    public static QueryMix Parse(string query, bool hasExamples = false)
    {
        ArgumentNullException.ThrowIfNull(query);
        var words = new List<string>();
        var without = new List<string>();
        for (var at = 0; at < query.Length;)
        {
            if (char.IsWhiteSpace(query[at]))
            {
                at++;
                continue;
            }
            var minus = query[at] == '-' && at + 1 < query.Length && (char.IsLetterOrDigit(query[at + 1]) || query[at + 1] == '"');
            if (minus) at++;
            var end = minus && query[at] == '"' && query.IndexOf('"', at + 1) is > 0 and var closing ? closing + 1 : EndOfWord(query, at);
            var part = query[at..end];
            at = end;
            if (!minus) words.Add(part);
            else if (part.Trim('"').Trim() is { Length: > 0 } text) without.Add(text);
        }
        if (words.Count == 0 && !hasExamples) throw new UsageException("the query says only what is not to be seen: say what to look for too");
        return new QueryMix(string.Join(' ', words), without);
    }

    /// <summary>The query's vector, L2-normalised.</summary>
    /// <param name="words">The vector of the words; null where there are none.</param>
    /// <param name="examples">The vectors of clips that are examples; may be none.</param>
    /// <param name="without">The vectors of what is not to be seen.</param>
    public static float[] Compose(float[]? words, IReadOnlyList<ReadOnlyMemory<float>> examples, IReadOnlyList<float[]> without)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentNullException.ThrowIfNull(without);
        var sum = words is null ? new float[examples[0].Length] : (float[])words.Clone();
        foreach (var example in examples) TensorPrimitives.MultiplyAdd(example.Span, 1f / examples.Count, sum, sum);
        foreach (var text in without) TensorPrimitives.MultiplyAdd(text, -WeightWithout / without.Count, sum, sum);
        TensorPrimitives.Divide(sum, Math.Max(TensorPrimitives.Norm(sum), float.Epsilon), sum);
        return sum;
    }

    private static int EndOfWord(string text, int from)
    {
        var end = from;
        while (end < text.Length && !char.IsWhiteSpace(text[end])) end++;
        return end;
    }
}
