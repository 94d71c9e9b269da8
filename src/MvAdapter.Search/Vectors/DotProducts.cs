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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ByAvx512(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        for (var row = 0; row < count; row++, rows += stride)
        {
            Vector512<int> even = default, odd = default;
            for (var i = 0; i < stride; i += 64)
            {
                even += Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(rows + i)), Vector512.Load(query + i));
                odd += Avx512BW.MultiplyAddAdjacent(Avx512BW.ConvertToVector512Int16(Vector256.Load(rows + i + 32)), Vector512.Load(query + i + 32));
            }
            products[row] = Vector512.Sum(even + odd);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void ByAvx2(sbyte* rows, int count, int stride, short* query, Span<float> products)
    {
        for (var row = 0; row < count; row++, rows += stride)
        {
            Vector256<int> even = default, odd = default;
            for (var i = 0; i < stride; i += 32)
            {
                even += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(Vector128.Load(rows + i)), Vector256.Load(query + i));
                odd += Avx2.MultiplyAddAdjacent(Avx2.ConvertToVector256Int16(Vector128.Load(rows + i + 16)), Vector256.Load(query + i + 16));
            }
            products[row] = Vector256.Sum(even + odd);
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
