namespace MvAdapter.Datasets.Shapes;

/// <summary>A colour and what captions call it.</summary>
internal sealed record Colour(string Name, byte R, byte G, byte B)
{
    /// <summary>How far apart two colours are, in RGB.</summary>
    public double DistanceTo(Colour other)
    {
        double r = R - other.R, g = G - other.G, b = B - other.B;
        return Math.Sqrt(r * r + g * g + b * b);
    }
}

/// <summary>A size, its radius as a part of the frame's short side, and what captions call it (nothing for the middle one).</summary>
internal sealed record Size(string Name, double Radius);

/// <summary>What a shape looks like, and the noun phrase for it.</summary>
internal sealed record Appearance(Size Size, Colour Colour, Outline Outline)
{
    public static IReadOnlyList<Colour> Colours { get; } =
    [
        new("red", 225, 35, 35), new("green", 35, 165, 60), new("blue", 45, 85, 235),
        new("yellow", 250, 220, 40), new("purple", 150, 50, 200), new("orange", 250, 135, 20),
    ];

    public static IReadOnlyList<Size> Sizes { get; } = [new("small", 0.08), new("", 0.12), new("large", 0.175)];

    /// <summary>Every combination, in a fixed order.</summary>
    public static IReadOnlyList<Appearance> All { get; } =
        [.. from size in Sizes from colour in Colours from outline in Outline.All select new Appearance(size, colour, outline)];

    /// <summary>For example "a small red circle" or "an orange star".</summary>
    public override string ToString()
    {
        var phrase = $"{Size.Name} {Colour.Name} {Outline.Name}".TrimStart();
        return phrase.StartsWith('o') ? $"an {phrase}" : $"a {phrase}";
    }
}
