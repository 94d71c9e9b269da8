using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

public sealed class TeachingChoiceTests
{
    // On a circle, so that distances are easily told.
    private static SampledClip At(int id, double degrees) =>
        new(new IndexedClip(id, $"/{id}.mp4", new ClipSpan(0, 1)), $"h{id}", new[] { (float)Math.Cos(degrees * Math.PI / 180), (float)Math.Sin(degrees * Math.PI / 180) });

    private static long[] Choose(IReadOnlyList<SampledClip> clips, int count, params long[] known) =>
        [.. TeachingChoice.Next(clips, clip => known.Contains(clip.Clip.Id), count, []).Select(clip => clip.Clip.Id)];

    [Fact]
    public void Each_is_the_farthest_from_all_that_are_known_or_chosen()
    {
        SampledClip[] clips = [At(0, 0), At(1, 40), At(2, 90), At(3, 180), At(4, 200)];
        Assert.Equal([3, 2], Choose(clips, 2, 0));
        Assert.Equal([0, 2, 1, 4], Choose(clips, 10, 3));
    }

    [Fact]
    public void What_is_known_and_what_looks_the_same_is_left_out()
    {
        SampledClip[] clips = [At(0, 0), At(1, 1), At(2, 2), At(3, 120), At(4, 121)];
        Assert.Equal([3], Choose(clips, 10, 0, 4).Union([3L]));
        Assert.Single(Choose(clips, 10, 0));      // one of the two at 120 degrees
        Assert.Empty(Choose(clips, 10, 0, 1, 2, 3, 4));
        Assert.Empty(Choose([], 10));
    }

    [Fact]
    public void The_first_of_all_is_a_typical_one()
    {
        SampledClip[] clips = [At(0, 0), At(1, 80), At(2, 90), At(3, 100), At(4, 300)];
        Assert.Contains(Choose(clips, 1)[0], new long[] { 1, 2, 3 });
    }

    [Fact]
    public void Those_come_first_of_which_the_model_is_least_sure()
    {
        SampledClip[] clips = [At(0, 0), At(1, 90), At(2, 45)];
        ReadOnlyMemory<float>[] texts = [At(10, 0).Vector, At(11, 90).Vector];
        Assert.Equal(2, TeachingChoice.Next(clips, _ => false, 3, texts)[0].Clip.Id);   // as far from the one text as from the other
    }
}
