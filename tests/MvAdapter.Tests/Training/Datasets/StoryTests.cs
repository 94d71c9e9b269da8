using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Datasets;
using MvAdapter.Datasets.Shapes;
using MvAdapter.Training;

namespace MvAdapter.Tests.Datasets;

/// <summary>What makes MovingShapes a test of time alone, without making a video.</summary>
public sealed class StoryTests
{
    private static readonly Gen<Story> Stories = Gen.Elements(Story.All.AsEnumerable());

    private static void ForAll<T>(Gen<T> gen, Func<T, bool> property) =>
        Prop.ForAll(gen.ToArbitrary(), property).QuickCheckThrowOnFailure();

    [Fact]
    public void Captions_read_like_sentences()
    {
        var captions = Story.All.Select(story => story.Caption).ToHashSet();
        Assert.Equal(Story.All.Count, captions.Count);
        Assert.Contains("a red circle moves left and then grows", captions);
        Assert.Contains("an orange star moves up and then moves right", captions);
        Assert.Contains("a small blue triangle shrinks and then moves down", captions);
        Assert.DoesNotContain("a red circle moves left and then moves right", captions);
    }

    [Fact]
    public void Reversal_is_an_involution_without_fixed_points()
    {
        var captions = Story.All.Select(story => story.Caption).ToHashSet();
        foreach (var story in Story.All)
        {
            Assert.Equal(story, story.Reversed.Reversed);
            Assert.NotEqual(story.Caption, story.Reversed.Caption);
            Assert.Contains(story.Reversed.Caption, captions);
        }
        var grows = Story.All.First(story => story.Caption == "a red circle moves left and then grows");
        Assert.Equal("a red circle shrinks and then moves right", grows.Reversed.Caption);
    }

    [Fact]
    public void A_motion_does_what_its_caption_says()
    {
        foreach (var story in Story.All)
        {
            var poses = Trajectory.Make(new SeededRandom(7), story, 128, 96, 41);
            var half = poses.Length / 2;
            Assert.True(Change(story.First, poses[0], poses[half]) > 0, story.Caption);
            Assert.True(Change(story.Second, poses[half], poses[^1]) > 0, story.Caption);
            Assert.True(Change(story.Second, poses[0], poses[half / 2]) == 0, story.Caption);
        }
    }

    [Fact]
    public void Every_motion_crosses_the_middle_and_stays_within_the_frame()
    {
        var cases = from story in Stories from seed in Gen.Choose(0, int.MaxValue) select (story, seed);
        ForAll(cases, item =>
        {
            const int width = 128, height = 96;
            var poses = Trajectory.Make(new SeededRandom((ulong)item.seed), item.story, width, height, 25);
            var extent = item.story.Shape.Outline.Extent;
            var middleRadius = item.story.Shape.Size.Radius * height;
            return poses.All(p => p.X - p.Radius * extent > 0 && p.X + p.Radius * extent < width
                    && p.Y - p.Radius * extent > 0 && p.Y + p.Radius * extent < height)
                && Crosses(item.story, MotionAxis.Horizontal, poses.Select(p => p.X - width / 2.0))
                && Crosses(item.story, MotionAxis.Vertical, poses.Select(p => p.Y - height / 2.0))
                && Crosses(item.story, MotionAxis.Size, poses.Select(p => p.Radius - middleRadius));
        });
    }

    [Fact]
    public void The_places_of_a_story_are_as_likely_as_those_of_its_reversal()
    {
        var cases = from story in Stories from seed in Gen.Choose(0, int.MaxValue) select (story, seed);
        ForAll(cases, item =>
        {
            // One seed, both directions: the way is the same one, gone from the other end.
            var forward = Trajectory.Make(new SeededRandom((ulong)item.seed), item.story, 96, 96, 31);
            var backward = Trajectory.Make(new SeededRandom((ulong)item.seed), item.story.Reversed, 96, 96, 31);
            return Same(forward[0], backward[^1]) && Same(forward[^1], backward[0]);
        });
    }

    [Fact]
    public void Splits_share_no_caption_and_tests_are_pairs_of_unique_captions()
    {
        var cases = from videos in Gen.Choose(1, 3000)
                    from test in Gen.Choose(1, 300)
                    from val in Gen.Choose(1, 100)
                    from seed in Gen.Choose(0, int.MaxValue)
                    select new MovingShapesSettings { Videos = videos, TestPairs = test, ValPairs = val, Seed = (ulong)seed };
        ForAll(cases, settings =>
        {
            var plan = MovingShapesPlan.Make(settings);
            string[] Captions(Split split) => [.. plan.Where(video => video.Split == split)
                .SelectMany(video => video.ReversedFile is null ? [video.Story.Caption] : new[] { video.Story.Caption, video.Story.Reversed.Caption })];
            var (train, val, test) = (Captions(Split.Train), Captions(Split.Val), Captions(Split.Test));
            return train.Length == settings.Videos && val.Length == 2 * settings.ValPairs && test.Length == 2 * settings.TestPairs
                && test.Distinct().Count() == test.Length && val.Distinct().Count() == val.Length
                && !train.Intersect(test).Any() && !train.Intersect(val).Any() && !val.Intersect(test).Any();
        });
    }

    [Theory]
    [InlineData(0, 1, 1)]
    [InlineData(10, 0, 1)]
    [InlineData(10, 1, 0)]
    [InlineData(10, 1, int.MaxValue)]
    [InlineData(10, 400, 100)]
    public void Impossible_numbers_are_refused(int videos, int testPairs, int valPairs) =>
        Assert.Throws<UsageException>(() => MovingShapesPlan.Make(new MovingShapesSettings { Videos = videos, TestPairs = testPairs, ValPairs = valPairs }));

    private static double Change(Motion motion, Pose from, Pose to)
    {
        var change = motion.Axis() switch
        {
            MotionAxis.Horizontal => to.X - from.X,
            MotionAxis.Vertical => to.Y - from.Y,
            _ => to.Radius - from.Radius,
        };
        return motion.IsRising() ? change : -change;
    }

    private static bool Crosses(Story story, MotionAxis axis, IEnumerable<double> fromMiddle)
    {
        if (story.First.Axis() != axis && story.Second.Axis() != axis) return true;
        var all = fromMiddle.ToList();
        return all.Min() < 0 && all.Max() > 0;
    }

    private static bool Same(Pose a, Pose b) =>
        Math.Abs(a.X - b.X) < 1e-9 && Math.Abs(a.Y - b.Y) < 1e-9 && Math.Abs(a.Radius - b.Radius) < 1e-9;
}
