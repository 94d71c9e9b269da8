using MvAdapter.Datasets;
using MvAdapter.Datasets.Shapes;

namespace MvAdapter.Tests.Datasets;

public sealed class CanvasTests
{
    public static TheoryData<string> Outlines => [.. Outline.All.Select(outline => outline.Name)];

    [Theory]
    [MemberData(nameof(Outlines))]
    public void A_shape_covers_its_area_with_smooth_edges(string name)
    {
        var outline = Outline.All.First(o => o.Name == name);
        const double radius = 20;
        var canvas = new Canvas(80, 80);
        canvas.Draw(outline, new Colour("white", 255, 255, 255), new Pose(40.3, 39.6, radius));

        var drawn = canvas.Pixels.Sum(value => value / 255.0) / 3;
        Assert.InRange(drawn, 0.98 * Area(outline) * radius * radius, 1.02 * Area(outline) * radius * radius);
        Assert.Contains(canvas.Pixels, value => value is > 32 and < 224);
    }

    [Theory]
    [InlineData(-30, -30)]
    [InlineData(16, 1000)]
    [InlineData(0, 16)]
    public void A_shape_may_leave_the_picture(double x, double y)
    {
        var canvas = new Canvas(32, 32);
        foreach (var outline in Outline.All) canvas.Draw(outline, new Colour("white", 255, 255, 255), new Pose(x, y, 8));
        Assert.Equal(x == 0, canvas.Pixels.Any(value => value > 0));
    }

    [Theory]
    [InlineData(ShapeLevel.Easy)]
    [InlineData(ShapeLevel.Hard)]
    public void Still_pictures_are_the_same_for_a_seed_and_differ_between_seeds(ShapeLevel level)
    {
        var first = StillShapes.Generate(48, 3, level).Take(30).ToList();
        var again = StillShapes.Generate(48, 3, level).Take(30).ToList();
        var other = StillShapes.Generate(48, 4, level).Take(30).ToList();

        Assert.All(first.Zip(again), pair => Assert.True(pair.First.Caption == pair.Second.Caption && pair.First.Pixels.SequenceEqual(pair.Second.Pixels)));
        Assert.DoesNotContain(first.Zip(other), pair => pair.First.Pixels.SequenceEqual(pair.Second.Pixels));
        Assert.All(first, picture => Assert.Equal(48 * 48 * 3, picture.Pixels.Length));
        Assert.True(first.Select(picture => picture.Caption).Distinct().Count() > 20);
    }

    [Fact]
    public void A_still_picture_shows_its_shape_where_and_as_large_as_the_caption_says()
    {
        var seen = 0;
        foreach (var picture in StillShapes.Generate(64, 11).Take(400))
        {
            // On a plain ground, whatever differs from the corner is the shape.
            var (left, right, top, bottom) = (64, -1, 64, -1);
            for (var y = 0; y < 64; y++)
                for (var x = 0; x < 64; x++)
                    if (!picture.Pixels.AsSpan((y * 64 + x) * 3, 3).SequenceEqual(picture.Pixels.AsSpan(0, 3)))
                        (left, right, top, bottom) = (Math.Min(left, x), Math.Max(right, x), Math.Min(top, y), Math.Max(bottom, y));
            // A circle's box tells its centre and radius, if no edge cuts it.
            if (!picture.Caption.Contains("circle", StringComparison.Ordinal) || left == 0 || top == 0 || right == 63 || bottom == 63) continue;
            seen++;
            var (centreX, centreY, radius) = ((left + right + 1) / 128.0, (top + bottom + 1) / 128.0, (right - left + 1) / 128.0);
            Assert.True(Nearby(picture.Caption, centreX, ["on the far left", "on the left", "", "on the right", "on the far right"]), picture.Caption);
            Assert.True(Nearby(picture.Caption, centreY, ["up at the top", "near the top", "", "near the bottom", "down at the bottom"]), picture.Caption);
            var size = Scene.Sizes.Single(size => picture.Caption.StartsWith(size.Name.Length > 0 ? $"a {size.Name} " : $"{picture.Caption.Split(' ')[0]} {picture.Scene.Shape.Colour.Name} ", StringComparison.Ordinal));
            Assert.InRange(radius, size.Radius / 1.4, size.Radius * 1.4);
        }
        Assert.True(seen > 30, $"{seen} whole circles");
    }

    [Fact]
    public void Pictures_of_a_run_are_alike_but_for_places_or_but_for_sizes_and_outlines()
    {
        const int run = 20;
        var scenes = StillShapes.Generate(16, 5, run: run).Take(2 * run).Select(picture => picture.Scene).ToList();
        var (first, second) = (scenes[..run], scenes[run..]);
        Assert.Single(first.Select(scene => scene.Shape).Distinct());
        Assert.True(first.Select(scene => (scene.Column, scene.Row)).Distinct().Count() > 5);
        Assert.Single(second.Select(scene => (scene.Shape.Colour, scene.Column, scene.Row)).Distinct());
        Assert.True(second.Select(scene => scene.Shape).Distinct().Count() > 5);
    }

    [Fact]
    public void Scenes_have_captions_of_their_own_and_alternatives_that_differ_in_one_thing()
    {
        var captions = Scene.All.Select(scene => scene.Caption).ToHashSet();
        Assert.Equal(Scene.All.Count(), captions.Count);
        Assert.Contains("a small red circle near the top on the far left", captions);
        Assert.Contains("an orange star in the middle", captions);
        Assert.Contains("a huge blue square down at the bottom", captions);
        foreach (var scene in Scene.All.Where((_, i) => i % 97 == 0))
        {
            foreach (var attribute in Enum.GetValues<SceneAttribute>())
            {
                var alternatives = scene.Alternatives(attribute).ToList();
                Assert.Contains(scene, alternatives);
                Assert.True(alternatives.Count >= 4 && alternatives.Distinct().Count() == alternatives.Count);
                Assert.All(alternatives, other => Assert.Contains(other.Caption, captions));
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(int.MaxValue)]
    public void Pictures_of_no_sensible_size_are_refused(int side) =>
        Assert.Throws<UsageException>(() => StillShapes.Generate(side, 1));

    /// <summary>Whether the place, from 0 to 1, lies in the cell of the caption's phrase, give or take two pixels.</summary>
    private static bool Nearby(string caption, double place, string[] phrases)
    {
        var named = Array.FindIndex(phrases, phrase => phrase.Length > 0 && caption.Contains(phrase, StringComparison.Ordinal));
        var cell = named < 0 ? Array.IndexOf(phrases, "") : named;
        return place * phrases.Length > cell - 0.16 && place * phrases.Length < cell + 1.16;
    }

    /// <summary>The outline's area by counting points of a fine grid.</summary>
    private static double Area(Outline outline)
    {
        const int steps = 400;
        const double step = 3.0 / steps;
        var inside = 0;
        for (var i = 0; i < steps; i++)
            for (var j = 0; j < steps; j++)
                if (outline.Distance((i + 0.5) * step - 1.5, (j + 0.5) * step - 1.5) < 0) inside++;
        return inside * step * step;
    }
}
