using System.Numerics.Tensors;
using System.Runtime.Intrinsics.X86;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

/// <summary>The quick pass over quantised vectors.</summary>
public sealed unsafe class QuantizedMatrixTests
{
    [Fact]
    public void No_score_is_further_off_than_its_margin()
    {
        var cases = from seed in Gen.Choose(0, int.MaxValue)
                    from width in Gen.Elements(1, 3, 63, 64, 65, 512, 2048)
                    from rows in Gen.Elements(1, 255, 256, 257, 600)
                    from spiky in Gen.Elements(false, true)
                    select (seed, width, rows, spiky);
        Prop.ForAll(cases.ToArbitrary(), test =>
        {
            var random = new Random(test.seed);
            using var matrix = new QuantizedMatrix(test.width);
            var vectors = Vectors(random, test.rows, test.width, test.spiky);
            for (var i = 0; i < test.rows; i++) matrix.Set(i, vectors[i]);
            matrix.Set(random.Next(test.rows), vectors[0] = vectors[^1]);   // a row that is used again
            for (var i = 0; i < test.rows; i++) matrix.Set(i, vectors[i]);
            var query = Vectors(random, 1, test.width, test.spiky)[0];
            var quantized = new QuantizedQuery(query, matrix.Stride);
            for (var strip = 0; strip < matrix.Strips; strip++)
            {
                var (scores, margins) = (new float[matrix.RowsOf(strip)], new float[matrix.RowsOf(strip)]);
                matrix.Score(strip, quantized, scores, margins);
                for (var i = 0; i < scores.Length; i++)
                    Assert.InRange(scores[i], Exact(i) - margins[i], Exact(i) + margins[i]);
                float Exact(int i) => TensorPrimitives.Dot<float>(query, vectors[strip * QuantizedMatrix.RowsPerStrip + i]);
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Every_processor_computes_the_same()
    {
        const int rows = 7, stride = 192;
        var random = new Random(1);
        var codes = new sbyte[rows * stride];
        var query = new short[stride];
        for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)random.Next(-127, 128);
        for (var i = 0; i < stride; i++) query[i] = (short)random.Next(-8191, 8192);
        float[] plain = new float[rows], avx2 = new float[rows], avx512 = new float[rows];
        fixed (sbyte* c = codes)
        fixed (short* q = query)
        {
            DotProducts.OneByOne(c, rows, stride, q, plain);
            Assert.SkipUnless(Avx2.IsSupported, "this processor has no AVX2");
            DotProducts.ByAvx2(c, rows, stride, q, avx2);
            Assert.Equal(plain, avx2);
            Assert.SkipUnless(Avx512BW.IsSupported, "this processor has no AVX-512");
            DotProducts.ByAvx512(c, rows, stride, q, avx512);
            Assert.Equal(plain, avx512);
        }
    }

    // Spiky ones have few large numbers, as CLIP's embeddings do, and lose the most in rounding.
    private static float[][] Vectors(Random random, int count, int width, bool spiky) => [.. Enumerable.Range(0, count).Select(_ =>
    {
        var vector = new float[width];
        for (var i = 0; i < width; i++) vector[i] = (random.NextSingle() - 0.5f) * (spiky && random.Next(100) == 0 ? 100 : 1);
        TensorPrimitives.Divide(vector, TensorPrimitives.Norm<float>(vector), vector);
        return vector;
    })];
}
