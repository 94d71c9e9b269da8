using System.Globalization;

namespace MvAdapter.Video;

/// <summary>How a picture that is not square becomes one.</summary>
public enum ResizeMode
{
    /// <summary>The short side is resized, the middle cut out: OpenAI's way, and by far the most common.</summary>
    Shortest,

    /// <summary>Both sides are resized, whatever becomes of the shapes in it.</summary>
    Squash,
}

/// <summary>How pictures are brought to what a CLIP was trained with, apart from their size.</summary>
/// <param name="Mean">The channels' means (red, green, blue), of values from 0 to 1.</param>
/// <param name="StandardDeviation">The channels' standard deviations.</param>
/// <param name="Resize">How a picture becomes square.</param>
/// <param name="Bilinear">Bilinear interpolation, with antialiasing, in place of bicubic.</param>
public sealed record Preprocessing(
    (float Red, float Green, float Blue) Mean, (float Red, float Green, float Blue) StandardDeviation, ResizeMode Resize = ResizeMode.Shortest, bool Bilinear = false)
{
    /// <summary>Of OpenAI's CLIPs.</summary>
    public static Preprocessing Clip { get; } = new((0.48145466f, 0.4578275f, 0.40821073f), (0.26862954f, 0.26130258f, 0.27577711f));

    /// <summary>How pictures are resized, as the key of a cached one says it; empty for the common way.</summary>
    public string ResizeName => (Resize, Bilinear) switch
    {
        (ResizeMode.Shortest, false) => "",
        (ResizeMode.Shortest, true) => "bilinear",
        (_, false) => "squash",
        _ => "squash bilinear",
    };

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"mean {Mean.Red} {Mean.Green} {Mean.Blue}, std {StandardDeviation.Red} {StandardDeviation.Green} {StandardDeviation.Blue}{(ResizeName.Length > 0 ? ", " : "")}{ResizeName}");
}
