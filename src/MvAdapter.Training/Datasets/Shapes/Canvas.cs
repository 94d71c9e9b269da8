namespace MvAdapter.Datasets.Shapes;

/// <summary>An RGB picture that shapes are drawn on with smooth edges.</summary>
internal sealed class Canvas(int width, int height)
{
    public int Width => width;

    public int Height => height;

    /// <summary>Rows of R, G, B.</summary>
    public byte[] Pixels { get; } = new byte[width * height * 3];

    public Canvas Copy()
    {
        var copy = new Canvas(width, height);
        Pixels.CopyTo(copy.Pixels, 0);
        return copy;
    }

    public void Set(int x, int y, Colour colour)
    {
        var at = (y * width + x) * 3;
        (Pixels[at], Pixels[at + 1], Pixels[at + 2]) = (colour.R, colour.G, colour.B);
    }

    public void Draw(Outline outline, Colour colour, Pose pose)
    {
        var reach = pose.Radius * outline.Extent + 1;
        for (var y = Math.Max(0, (int)(pose.Y - reach)); y < Math.Min(height, pose.Y + reach); y++)
        {
            for (var x = Math.Max(0, (int)(pose.X - reach)); x < Math.Min(width, pose.X + reach); x++)
            {
                // A pixel half a pixel inside the outline is covered whole, one half a pixel outside not at all.
                var distance = outline.Distance((x + 0.5 - pose.X) / pose.Radius, (y + 0.5 - pose.Y) / pose.Radius) * pose.Radius;
                Blend(x, y, colour, Math.Clamp(0.5 - distance, 0, 1));
            }
        }
    }

    private void Blend(int x, int y, Colour colour, double cover)
    {
        var at = (y * width + x) * 3;
        Pixels[at] = Mix(Pixels[at], colour.R, cover);
        Pixels[at + 1] = Mix(Pixels[at + 1], colour.G, cover);
        Pixels[at + 2] = Mix(Pixels[at + 2], colour.B, cover);
    }

    private static byte Mix(byte under, byte over, double cover) => (byte)(under + (over - under) * cover + 0.5);
}
