using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>What holds for every small shape.</summary>
public sealed class TensorPropertyTests
{
    private static readonly Gen<int> Seed = Gen.Choose(0, int.MaxValue - 1);

    /// <summary>Runs the body for many seeds, each of which decides a case.</summary>
    private static void ForCases(Func<Random, bool> body) => Prop.ForAll(Seed.ToArbitrary(), seed =>
    {
        using var scope = new TensorScope();
        return body(new Random(seed));
    }).QuickCheckThrowOnFailure();

    private static long[] Shape(Random random, int dimensions, int smallest = 0) =>
        [.. Enumerable.Range(0, dimensions).Select(_ => (long)random.Next(smallest, 5))];

    private static Tensor Any(Random random, params long[] shape) => TensorValues.Random(random.Next(), shape);

    [Fact]
    public void Reshape_keeps_the_elements_and_undoes_itself() => ForCases(random =>
    {
        var shape = Shape(random, random.Next(0, 5));
        var x = Any(random, shape);
        var flat = x.Reshape(x.ElementCount);
        return flat.ToDoubles().SequenceEqual(x.ToDoubles()) && flat.Reshape(shape).SameAs(x);
    });

    [Fact]
    public void The_inverse_permutation_undoes_a_permutation() => ForCases(random =>
    {
        var x = Any(random, Shape(random, random.Next(1, 5)));
        var order = Enumerable.Range(0, x.Dimensions).Select(d => (long)d).ToArray();
        random.Shuffle(order);
        var inverse = new long[order.Length];
        for (var d = 0; d < order.Length; d++) inverse[order[d]] = d;
        var moved = x.Permute(order);
        return moved.Shape.SequenceEqual(order.Select(d => x.Shape[(int)d]))
            && moved.Permute(inverse).SameAs(x) && moved.Contiguous().SameAs(moved);
    });

    [Fact]
    public void Bytes_and_arrays_round_trip() => ForCases(random =>
    {
        var shape = Shape(random, random.Next(0, 4));
        var x = Any(random, shape);
        return Tensor.FromBytes(x.ToBytes(), DType.Float64, shape).SameAs(x) && Tensor.From(x.ToArray<double>(), shape).SameAs(x);
    });

    [Fact]
    public void Matrix_products_are_sums_of_products() => ForCases(random =>
    {
        var (n, k, m) = (random.Next(0, 5), random.Next(0, 5), random.Next(0, 5));
        var (a, b) = (Any(random, n, k), Any(random, k, m));
        var (left, right, product) = (a.ToDoubles(), b.ToDoubles(), a.MatMul(b).ToDoubles());
        for (var i = 0; i < n; i++)
            for (var j = 0; j < m; j++)
                if (Math.Abs(Enumerable.Range(0, k).Sum(t => left[i * k + t] * right[t * m + j]) - product[i * m + j]) > 1e-12) return false;
        return product.Length == n * m;
    });

    [Fact]
    public void Slices_are_those_of_arrays() => ForCases(random =>
    {
        var (rows, columns) = (random.Next(1, 6), random.Next(1, 6));
        var x = Any(random, rows, columns);
        var lines = x.ToDoubles().Chunk(columns).ToArray();
        var (r, c) = (AnyRange(random, rows), AnyRange(random, columns));
        var row = random.Next(rows);
        return x[r, c].ToDoubles().SequenceEqual(lines[r].SelectMany(line => line[c]))
            && x[row, c].ToDoubles().SequenceEqual(lines[row][c])
            && x[row - rows].ToDoubles().SequenceEqual(lines[row])
            && x[.., TensorIndex.NewAxis, ^1].ToDoubles().SequenceEqual(lines.Select(line => line[^1]));

        static Range AnyRange(Random random, int size)
        {
            var start = random.Next(size + 1);
            var end = random.Next(start, size + 1);
            return new Range(random.Next(2) == 0 ? start : ^(size - start), random.Next(2) == 0 ? end : ^(size - end));
        }
    });

    [Fact]
    public void Picked_rows_are_those_of_arrays() => ForCases(random =>
    {
        var (rows, columns) = (random.Next(1, 6), random.Next(1, 6));
        var x = Any(random, rows, columns);
        var lines = x.ToDoubles().Chunk(columns).ToArray();
        var picks = Enumerable.Range(0, random.Next(0, 7)).Select(_ => (long)random.Next(rows)).ToArray();
        var mask = Enumerable.Range(0, rows).Select(_ => random.Next(2) == 0).ToArray();
        return x[Tensor.From(picks, picks.Length)].ToDoubles().SequenceEqual(picks.SelectMany(pick => lines[pick]))
            && x[Tensor.From(mask, rows)].ToDoubles().SequenceEqual(lines.Where((_, i) => mask[i]).SelectMany(line => line));
    });

    [Fact]
    public void Pieces_join_to_the_whole() => ForCases(random =>
    {
        var x = Any(random, Shape(random, random.Next(1, 4), smallest: 1));
        var dimension = random.Next(x.Dimensions);
        var size = random.Next(1, 6);
        var pieces = x.Split(size, dimension);
        return pieces.Length == (x.Shape[dimension] + size - 1) / size && Tensor.Concatenate(pieces, dimension).SameAs(x);
    });

    [Fact]
    public void Sums_over_one_dimension_after_the_other_are_the_sum() => ForCases(random =>
    {
        var x = Any(random, Shape(random, 3));
        var total = x.ToDoubles().Sum();
        return Math.Abs(x.Sum().ToDouble() - total) < 1e-10 && Math.Abs(x.Sum([2]).Sum([0]).Sum([0]).ToDouble() - total) < 1e-10;
    });

    [Fact]
    public void Printing_never_fails() => ForCases(random =>
    {
        var types = Enum.GetValues<DType>();
        var x = (Any(random, [.. Shape(random, random.Next(0, 5)).Select(size => 3 * size)]) * 9).To(types[random.Next(types.Length)]);
        var text = x.ToString();
        return text.StartsWith($"{x.DType.ToString().ToLowerInvariant()}[{string.Join(", ", x.Shape)}] ", StringComparison.Ordinal)
            && text.Count(c => c == '[') == text.Count(c => c == ']');
    });
}
