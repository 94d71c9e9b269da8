using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace MvAdapter.Search;

/// <summary>Integer dot products of int8 rows with an int16 query: exact, by what instructions the processor has.</summary>
internal static unsafe class DotProducts
{
    /// <summary>Computes one product a row.</summary>
    /// <param name="rows">The rows, each of <paramref name="stride"/> bytes, aligned to 64.</param>
    /// <param name="count">How many rows.</param>
    /// <param name="stride">A multiple of 64.</param>
    /// <param name="query">As many numbers as a row has.</param>
    /// <param name="products">One for each row.</param>
    public static void Compute(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        if (Avx512BW.IsSupported) ByAvx512(rows, count, stride, query, products);
        else if (Avx2.IsSupported) ByAvx2(rows, count, stride, query, products);
        else OneByOne(rows, count, stride, query, products);
    }

    // Four rows at once: each piece of the query is loaded once for all, and their sums do not wait for one another.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ByAvx512(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        var row = 0;
        for (; row + 4 <= count; row += 4, rows += 4 * stride)
        {
            Vector512<int> first = default, second = default, third = default, fourth = default;
            sbyte* a = rows, b = a + stride, c = b + stride, d = c + stride;
            for (var i = 0; i < stride; i += 32)
            {
                var part = Vector512.Load(query + i);
                first += Product512(a + i, part);
                second += Product512(b + i, part);
                third += Product512(c + i, part);
                fourth += Product512(d + i, part);
            }
            products[row] = Vector512.Sum(first);
            products[row + 1] = Vector512.Sum(second);
            products[row + 2] = Vector512.Sum(third);
            products[row + 3] = Vector512.Sum(fourth);
        }
        for (; row < count; row++, rows += stride)
        {
            var sum = Vector512<int>.Zero;
            for (var i = 0; i < stride; i += 32) sum += Product512(rows + i, Vector512.Load(query + i));
            products[row] = Vector512.Sum(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Product512(sbyte* codes, Vector512<short> query) =>
        Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(codes)), query);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ByAvx2(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        for (var row = 0; row < count; row++, rows += stride)
        {
            var sum = Vector256<int>.Zero;
            for (var i = 0; i < stride; i += 16)
                sum += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(Vector128.Load(rows + i)), Vector256.Load(query + i));
            products[row] = Vector256.Sum(sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void OneByOne(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        for (var row = 0; row < count; row++, rows += stride)
        {
            var sum = 0;
            for (var i = 0; i < stride; i++) sum += rows[i] * query[i];
            products[row] = sum;
        }
    }
}
