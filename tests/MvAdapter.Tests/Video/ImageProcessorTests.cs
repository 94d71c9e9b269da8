using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

[Trait("Category", "Fixtures")]
public sealed class ImageProcessorFixtureTests
{
    public static TheoryData<string> Pictures => Fixtures.Names("preprocess", "*.png");

    [Theory]
    [MemberData(nameof(Pictures))]
    public void Equals_the_published_preprocessing(string picture)
    {
        var path = Fixtures.Find($"preprocess/{picture}");
        var expected = new StoredTensors(Path.ChangeExtension(path, "safetensors")).Values("pixels");
        var (rgb, width, height) = Ffmpeg.Picture(path);

        var actual = new ImageProcessor().Process(rgb, width, height);

        Assert.Equal(expected.Length, actual.Length);
        // One step of 8 bits is more than 0.014: below that, every byte is equal.
        Assert.True(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max() < 1e-5);
    }
}

public sealed class ImageProcessorTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 5000)]
    [InlineData(5000, 1)]
    [InlineData(223, 225)]
    [InlineData(7, 640)]
    public void A_picture_of_one_colour_keeps_it(int width, int height)
    {
        var rgb = new byte[width * height * 3];
        for (var i = 0; i < rgb.Length; i += 3) (rgb[i], rgb[i + 1], rgb[i + 2]) = (255, 128, 3);

        var picture = new ImageProcessor(224).ResizeAndCrop(rgb, width, height);

        Assert.Equal(224 * 224 * 3, picture.Length);
        for (var i = 0; i < picture.Length; i += 3) Assert.Equal((255, 128, 3), (picture[i], picture[i + 1], picture[i + 2]));
    }

    [Fact]
    public void A_picture_of_the_right_size_is_untouched()
    {
        var rgb = new byte[32 * 32 * 3];
        new Random(1).NextBytes(rgb);
        Assert.Equal(rgb, new ImageProcessor(32).ResizeAndCrop(rgb, 32, 32));
    }

    [Fact]
    public void A_wide_picture_is_cropped_in_the_middle()
    {
        // The torchvision rule: (35 - 32) / 2 = 1.5 rounds to the even 2.
        var rgb = new byte[35 * 32 * 3];
        new Random(2).NextBytes(rgb);
        var picture = new ImageProcessor(32).ResizeAndCrop(rgb, 35, 32);
        for (var y = 0; y < 32; y++)
            Assert.Equal(rgb.AsSpan((y * 35 + 2) * 3, 32 * 3), picture.AsSpan(y * 32 * 3, 32 * 3));
    }

    [Fact]
    public void Mirroring_commutes_with_resizing()
    {
        const int width = 301, height = 211;
        var rgb = new byte[width * height * 3];
        new Random(3).NextBytes(rgb);
        var processor = new ImageProcessor(65);
        var upsideDown = new byte[rgb.Length];
        for (var y = 0; y < height; y++) rgb.AsSpan(y * width * 3, width * 3).CopyTo(upsideDown.AsSpan((height - 1 - y) * width * 3));

        var expected = processor.ResizeAndCrop(rgb, width, height);
        var actual = processor.ResizeAndCrop(upsideDown, width, height);

        for (var y = 0; y < 65; y++)
            for (var i = 0; i < 65 * 3; i++)
                Assert.InRange(actual[(64 - y) * 65 * 3 + i] - expected[y * 65 * 3 + i], -1, 1);
    }

    [Fact]
    public void Normalises_to_planes()
    {
        var processor = new ImageProcessor(1, new Preprocessing((0.5f, 0f, 1f), (0.5f, 1f, 0.25f)));
        var planes = new float[3];
        processor.Normalize([255, 0, 255], planes);
        Assert.Equal([1f, 0f, 0f], planes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(100_000)]
    public void Refuses_an_impossible_size(int size) => Assert.Throws<UsageException>(() => new ImageProcessor(size));

    [Fact]
    public void Refuses_a_zero_deviation() => Assert.Throws<UsageException>(() => new ImageProcessor(8, new Preprocessing((0, 0, 0), (1, 0, 1))));

    [Fact]
    public void Refuses_pixels_that_do_not_fit_the_size() =>
        Assert.Throws<ArgumentException>(() => new ImageProcessor(8).ResizeAndCrop(new byte[10], 2, 2));
}
