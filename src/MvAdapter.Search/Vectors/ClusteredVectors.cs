using System.Numerics.Tensors;

namespace MvAdapter.Search;

/// <summary>
/// Unit vectors around random centres, for benchmarks; the same each time. Independent coordinates would make all neighbours equally far, which embeddings are
/// not; here a vector's nearest are those of its own centre, told apart by 64 directions in which they differ.
/// </summary>
/// <param name="identity">The model that they pass for.</param>
/// <param name="width">Numbers of a vector.</param>
/// <param name="seed">Which ones: the centres are the same for all seeds.</param>
public sealed class ClusteredVectors(ModelIdentity identity, int width, int seed = 1)
{
    private const int Centres = 2000;
    private const int Directions = 64;
    private const float Spread = 0.7f;
    private readonly Random random = new(seed);
    private readonly float[][] centres = Vectors(new Random(2), Centres, width);
    private readonly float[][] directions = Vectors(new Random(3), Directions, width);

    /// <summary>The next vectors.</summary>
    public ClipVectors Next(int count)
    {
        var values = new float[count * width];
        for (var i = 0; i < count; i++)
        {
            var row = values.AsSpan(i * width, width);
            centres[random.Next(Centres)].CopyTo(row);
            foreach (var direction in directions) TensorPrimitives.MultiplyAdd(direction, Normal(random) * Spread / MathF.Sqrt(Directions), row, row);
            TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
        }
        return new ClipVectors(identity, width, values);
    }

    private static float[][] Vectors(Random random, int count, int width) => [.. Enumerable.Range(0, count).Select(_ =>
    {
        var row = Enumerable.Range(0, width).Select(_ => Normal(random)).ToArray();
        TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
        return row;
    })];

    private static float Normal(Random random) =>
        MathF.Sqrt(-2 * MathF.Log(1 - random.NextSingle())) * MathF.Cos(2 * MathF.PI * random.NextSingle());
}
