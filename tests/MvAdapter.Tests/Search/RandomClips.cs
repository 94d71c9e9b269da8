using System.Numerics.Tensors;
using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

/// <summary>Clips that no model made.</summary>
internal static class RandomClips
{
    public const int Width = 24;

    public static ModelIdentity Identity { get; } = new("0123456789abcdef", "fedcba9876543210");

    public static CollectionModel Model(ModelIdentity? identity = null, int width = Width) => new(identity ?? Identity, width, "/models/clip.pt")
    {
        Adapter = "/models/adapter.safetensors",
        AdapterSettings = "{}",
        Vocabulary = "/models/bpe.txt.gz",
        Sampling = "uniform max_frames=12 fps=1",
        Words = 32,
        Splitting = "window seconds=10 overlap=0",
    };

    public static VideoEntry Entry(string path, string hash = "") => new(path)
    {
        Size = 1000,
        Modified = new DateTime(2024, 5, 6, 7, 8, 9, DateTimeKind.Utc),
        Hash = hash,
        Duration = 30,
        Splitting = "window seconds=10 overlap=0",
    };

    public static ClipSpan[] Spans(int count) => [.. Enumerable.Range(0, count).Select(i => new ClipSpan(10 * i, 10 * i + 10))];

    /// <summary>Unit vectors of few directions, so that scores tie exactly.</summary>
    public static ClipVectors Vectors(Random random, int count, int directions = int.MaxValue, int width = Width)
    {
        var values = new float[count * width];
        for (var i = 0; i < count; i++)
        {
            var row = values.AsSpan(i * width, width);
            var direction = new Random(directions == int.MaxValue ? random.Next() : random.Next(directions));
            for (var k = 0; k < width; k++) row[k] = direction.NextSingle() - 0.5f;
            TensorPrimitives.Divide(row, TensorPrimitives.Norm<float>(row), row);
        }
        return new ClipVectors(Identity, width, values);
    }
}
