using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>
/// By how much two right float32 forms of one computation may differ, whatever the processor and the order of their sums.
/// A sum of products errs by about an epsilon of the norm of what it adds, and hands on the errors of what it is fed with. So the bound is
/// counted from how many sums stand one behind the other.
/// </summary>
internal static class Rounding
{
    /// <summary>Of float32: the distance from 1 to the next number.</summary>
    public const double Epsilon = 1.0 / (1 << 23);

    /// <summary>The same of float16.</summary>
    public const double Float16Epsilon = 1.0 / (1 << 10);

    /// <summary>
    /// The sums in a row of one block: two normalisations (mean and variance count as one), queries and keys, scores, softmax, values, projection,
    /// two of the MLP, and as many again for an adapter beside them, of which MV-Adapter's is the longest.
    /// </summary>
    public const int SumsOfBlock = 18;

    /// <summary>The sums in a row of the features of a CLIP: its blocks; the patches, two normalisations and the projection.</summary>
    public static int SumsOf(int layers) => SumsOfBlock * layers + 4;

    /// <summary>
    /// The bound after so many sums in a row, for values up to <paramref name="magnitude"/>. At worst every sum of both forms errs by two epsilons the
    /// same way. Of many it does not: errors that know nothing of each other add as roots, the two forms' too, and the largest of thousands lies
    /// below five deviations, so 8 (five times the root of two, and a little) epsilons times the root of the number of sums.
    /// </summary>
    public static double Bound(double magnitude, int sums) => Math.Min(4 * sums, 8 * Math.Sqrt(sums)) * Epsilon * magnitude;

    /// <summary>
    /// The bound of a gradient: the way forward, and back again with two products for each. One that comes to nothing (a bias of keys has none)
    /// is a sum of terms as large as others are, and errs by some epsilons of those.
    /// </summary>
    public static double GradientBound(double magnitude, double largestOfAll, int sums) => Bound(magnitude, 3 * sums) + 16 * Epsilon * largestOfAll;

    /// <summary>
    /// The bound of a loss: cosines, at most 1, times the model's scale, through as many sums as the features and two more for the norm and the
    /// product. Twice, since the loss is the difference of a score and the logarithm of a sum.
    /// </summary>
    public static double BoundOfLoss(RetrievalModel model, int layers) => 2 * Bound(Math.Exp(model.Clip.LogitScale.ToDouble()), SumsOf(layers) + 2);

    /// <summary>Every element lies within the bound of the largest.</summary>
    public static void AssertSame(IReadOnlyList<float> expected, IReadOnlyList<float> actual, int sums, string what = "")
    {
        Assert.NotEmpty(expected);
        AssertWithin(expected, actual, Bound(expected.Max(Math.Abs), sums), what);
    }

    /// <inheritdoc cref="AssertSame(IReadOnlyList{float}, IReadOnlyList{float}, int, string)"/>
    public static void AssertSame(Tensor expected, Tensor actual, int sums, string what = "")
    {
        Assert.Equal(expected.Shape, actual.Shape);
        AssertSame(expected.ToFloats(), actual.ToFloats(), sums, what);
    }

    /// <summary>Every gradient lies within the bound of a gradient; both have the same.</summary>
    public static void AssertSameGradients(IReadOnlyDictionary<string, float[]> expected, IReadOnlyDictionary<string, float[]> actual, int sums)
    {
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        var all = expected.Values.Max(gradient => gradient.Max(Math.Abs));
        foreach (var (name, gradient) in expected) AssertWithin(gradient, actual[name], GradientBound(gradient.Max(Math.Abs), all, sums), name);
    }

    /// <summary>Every element lies within <paramref name="bound"/>.</summary>
    public static void AssertWithin(IReadOnlyList<float> expected, IReadOnlyList<float> actual, double bound, string what = "")
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
            Assert.True(Math.Abs((double)expected[i] - actual[i]) <= bound, $"{what}[{i}]: expected {expected[i]}, got {actual[i]}, at most {bound:g3} apart");
    }

    /// <summary>The largest distance of two elements.</summary>
    public static double Distance(IEnumerable<float> a, IEnumerable<float> b) => a.Zip(b, (x, y) => Math.Abs((double)x - y)).Max();
}
