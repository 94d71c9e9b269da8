using MvAdapter.Training;

namespace MvAdapter.Datasets.Shapes;

/// <summary>Where a shape is and how large, in pixels.</summary>
internal readonly record struct Pose(double X, double Y, double Radius);

/// <summary>
/// Turns a story into poses that give its direction away by their order alone: each motion covers a stretch that
/// crosses the middle of its axis and is drawn without regard to the direction, so that a story and its reversal have
/// the same distribution of sets of poses.
/// </summary>
internal static class Trajectory
{
    /// <summary>By how much a radius differs, up and down, from the one that the size's name stands for.</summary>
    public const double Growth = 1.35;

    public static Pose[] Make(SeededRandom random, Story story, int width, int height, int frames)
    {
        var middleRadius = story.Shape.Size.Radius * Math.Min(width, height) * random.Between(0.95, 1.05);
        var margin = middleRadius * Growth * story.Shape.Outline.Extent + 1;
        var x = Span(random, width / 2.0, width / 2.0 - margin, IsMoving(story, MotionAxis.Horizontal));
        var y = Span(random, height / 2.0, height / 2.0 - margin, IsMoving(story, MotionAxis.Vertical));
        var growth = IsMoving(story, MotionAxis.Size) ? Growth : 1;
        var turn = random.Between(0.42, 0.58);

        var poses = new Pose[frames];
        for (var i = 0; i < frames; i++)
        {
            var time = (double)i / (frames - 1);
            var first = Math.Min(time / turn, 1);
            var second = Math.Max((time - turn) / (1 - turn), 0);
            double At(MotionAxis axis) =>
                story.First.Axis() == axis ? Level(story.First, first)
                : story.Second.Axis() == axis ? Level(story.Second, second)
                : 0.5;
            poses[i] = new Pose(
                x.Low + (x.High - x.Low) * At(MotionAxis.Horizontal),
                y.Low + (y.High - y.Low) * At(MotionAxis.Vertical),
                middleRadius * Math.Pow(growth, 2 * At(MotionAxis.Size) - 1));
        }
        return poses;
    }

    private static bool IsMoving(Story story, MotionAxis axis) => story.First.Axis() == axis || story.Second.Axis() == axis;

    private static double Level(Motion motion, double progress) => motion.IsRising() ? progress : 1 - progress;

    private static (double Low, double High) Span(SeededRandom random, double middle, double reach, bool moving)
    {
        if (!moving)
        {
            var place = middle + random.Between(-reach, reach);
            return (place, place);
        }
        // Longer than the reach: wherever the stretch lies within the frame, it crosses the middle.
        var length = reach * random.Between(1.2, 1.7);
        var centre = middle + random.Between(-1, 1) * (reach - length / 2);
        return (centre - length / 2, centre + length / 2);
    }
}
