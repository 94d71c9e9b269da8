using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class FrameSamplerTests
{
    private static readonly Arbitrary<(FrameStrategy Strategy, int Available, int Max)> Cases = Arb.From(
        from strategy in Gen.Elements(Enum.GetValues<FrameStrategy>())
        from available in Gen.OneOf(Gen.Choose(0, 300), Gen.Choose(0, int.MaxValue))
        from max in Gen.Choose(1, 100)
        select (strategy, available, max));

    private static readonly Arbitrary<(FrameRule Rule, double SamplingRate, double VideoRate, int Frames, double Start, double Length)> Clips = Arb.From(
        from rule in Gen.Elements(Enum.GetValues<FrameRule>())
        from samplingRate in Gen.Elements(1, 0.5, 4, 7, 1.0 / 3, 29.97, 1e9, FrameSampling.AllFrames)
        from videoRate in Gen.Elements(30, 25, 12.5, 30000.0 / 1001, 0.2, 1000)
        from frames in Gen.Choose(1, 5000)
        from start in Gen.Choose(0, 4000)
        from length in Gen.Choose(1, 20000)
        select (rule, samplingRate, videoRate, frames, start / 100.0, length / 100.0));

    [Fact]
    public void Indices_are_ascending_in_range_and_as_many_as_fit() => Prop.ForAll(Cases, c =>
    {
        var indices = FrameSampler.Indices(c.Strategy, c.Available, c.Max);
        return indices.Length == Math.Min(c.Available, c.Max)
            && indices.Zip(indices.Skip(1)).All(pair => pair.First < pair.Second)
            && indices.All(i => i >= 0 && i < c.Available);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Uniform_takes_the_first_and_the_last() => Prop.ForAll(Cases, c =>
    {
        if (c.Available == 0 || c.Max < 2) return true;
        var indices = FrameSampler.Indices(FrameStrategy.Uniform, c.Available, c.Max);
        return indices[0] == 0 && indices[^1] == c.Available - 1;
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Symmetric_looks_the_same_backwards() => Prop.ForAll(Cases, c =>
    {
        var indices = FrameSampler.Indices(FrameStrategy.Symmetric, c.Available, c.Max);
        // A point that falls between two frames goes to the later one in both directions: one off.
        return indices.Zip(indices.Reverse(), (left, right) => (long)left + right - (c.Available - 1)).All(off => off is 0 or 1);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Frame_numbers_are_ascending_and_within_the_clip() => Prop.ForAll(Clips, c =>
    {
        var sampling = new FrameSampling { Rule = c.Rule, FramesPerSecond = c.SamplingRate, MaxFrames = 1000 };
        var numbers = FrameSampler.FrameNumbers(sampling, c.Frames, c.VideoRate, c.Start, c.Start + c.Length);
        var first = Math.Round(c.Start * c.VideoRate);
        return numbers.Zip(numbers.Skip(1)).All(pair => pair.First < pair.Second)
            && numbers.All(n => n >= first && n < c.Frames && n < Math.Ceiling((c.Start + c.Length) * c.VideoRate))
            && (numbers.Length > 0) == (first < Math.Min(c.Frames, Math.Ceiling((c.Start + c.Length) * c.VideoRate)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_published_rule_equals_a_plain_loop_over_the_seconds() => Prop.ForAll(Clips, c =>
    {
        var sampling = new FrameSampling { FramesPerSecond = c.SamplingRate, MaxFrames = FrameSampling.MaxFramesLimit };
        if (!double.IsInteger(c.SamplingRate) || c.VideoRate < c.SamplingRate) return true;
        int second = (int)c.VideoRate, rate = (int)c.SamplingRate;
        var expected = new List<int>();
        for (var s = 0; s * second < c.Frames; s++)
            for (var i = 0; i < rate; i++)
                if (s * second + i * (second / rate) is var frame && frame < c.Frames) expected.Add(frame);
        return expected.Count > FrameSampling.MaxFramesLimit || expected.SequenceEqual(FrameSampler.FrameNumbers(sampling, c.Frames, c.VideoRate));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_part_of_a_video_gives_the_frames_that_it_would_give_by_itself() => Prop.ForAll(Clips, c =>
    {
        var sampling = new FrameSampling { FramesPerSecond = c.SamplingRate };
        if (!sampling.CountsAsPublished) return true;
        var first = (int)Math.Round(c.Start * c.VideoRate);
        var last = (int)Math.Min(c.Frames, Math.Ceiling((c.Start + c.Length) * c.VideoRate));
        return FrameSampler.FrameNumbers(sampling, c.Frames, c.VideoRate, c.Start, c.Start + c.Length)
            .SequenceEqual(FrameSampler.FrameNumbers(sampling, Math.Max(0, last - first), c.VideoRate).Select(number => first + number));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void By_time_frame_numbers_equal_a_plain_loop_over_the_seconds() => Prop.ForAll(Clips, c =>
    {
        var sampling = new FrameSampling { Rule = FrameRule.Time, MaxFrames = FrameSampling.MaxFramesLimit };
        var expected = new List<int>();
        if (c.VideoRate < 1 || c.Frames / c.VideoRate >= FrameSampling.MaxFramesLimit) return true;
        for (var s = 0; Math.Round(s * c.VideoRate) < c.Frames; s++) expected.Add((int)Math.Round(s * c.VideoRate));
        return expected.SequenceEqual(FrameSampler.FrameNumbers(sampling, c.Frames, c.VideoRate));
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("head", new[] { 0, 1, 2 })]
    [InlineData("tail", new[] { 7, 8, 9 })]
    [InlineData("symmetric", new[] { 1, 5, 8 })]
    [InlineData("uniform", new[] { 0, 4, 9 })]
    [InlineData("floor", new[] { 0, 3, 6 })]
    public void Takes_three_of_ten(string strategy, int[] expected) =>
        Assert.Equal(expected, FrameSampler.Indices(FrameSampling.ParseStrategy(strategy), 10, 3));

    [Fact]
    public void Half_frames_round_to_even() =>
        Assert.Equal([0, 12, 25, 38], FrameSampler.FrameNumbers(new FrameSampling { Rule = FrameRule.Time }, 40, 12.5));

    [Fact]
    public void The_average_rate_decides_how_many_frames_a_second_has() =>
        Assert.Equal([30, 59, 88], FrameSampler.FrameNumbers(new FrameSampling(), 1000, 30, start: 1, end: 3.5, averageRate: 29.9));

    [Fact]
    public void Below_one_frame_a_second_and_at_other_than_whole_rates_time_decides()
    {
        foreach (var (sampling, rate) in new[] { (new FrameSampling(), 0.7), (new FrameSampling { FramesPerSecond = 0.5 }, 29.97), (new FrameSampling { FramesPerSecond = 2.5 }, 29.97) })
            Assert.Equal(FrameSampler.FrameNumbers(sampling with { Rule = FrameRule.Time }, 500, rate), FrameSampler.FrameNumbers(sampling, 500, rate));
    }

    [Fact]
    public void Takes_part_of_a_video() =>
        Assert.Equal([70, 80, 90], FrameSampler.FrameNumbers(new FrameSampling(), 1000, 10, start: 7, end: 10));

    [Fact]
    public void Takes_several_frames_a_second() =>
        Assert.Equal([0, 6, 12, 19], FrameSampler.FrameNumbers(new FrameSampling { FramesPerSecond = 4, MaxFrames = 4, Strategy = FrameStrategy.Head, Rule = FrameRule.Time }, 100, 25));

    [Fact]
    public void Takes_one_frame_every_three_seconds() =>
        Assert.Equal([0, 75, 150], FrameSampler.FrameNumbers(new FrameSampling { FramesPerSecond = 1.0 / 3 }, 200, 25));

    [Fact]
    public void Takes_all_frames_of_a_short_video() =>
        Assert.Equal([0, 1, 2, 3, 4], FrameSampler.FrameNumbers(new FrameSampling { FramesPerSecond = FrameSampling.AllFrames }, 5, 25));

    [Fact]
    public void Takes_nothing_after_the_end() => Assert.Empty(FrameSampler.FrameNumbers(new FrameSampling(), 50, 25, start: 2));

    [Fact]
    public void Text_form_round_trips() => Prop.ForAll(Arb.From(
        from strategy in Gen.Elements(Enum.GetValues<FrameStrategy>())
        from rate in Gen.Elements(1, 0.1, 1.0 / 3, 1e-300, FrameSampling.AllFrames)
        from max in Gen.Choose(1, FrameSampling.MaxFramesLimit)
        from rule in Gen.Elements(Enum.GetValues<FrameRule>())
        select new FrameSampling { Strategy = strategy, FramesPerSecond = rate, MaxFrames = max, Rule = rule }),
        sampling => FrameSampling.Parse(sampling.ToString()) == sampling).QuickCheckThrowOnFailure();

    [Fact]
    public void Text_form_is_readable() =>
        Assert.Equal("uniform max_frames=12 fps=1 rule=published", new FrameSampling().ToString());

    [Fact]
    public void A_text_without_a_rule_goes_by_time_as_when_it_was_written() =>
        Assert.Equal(new FrameSampling { Strategy = FrameStrategy.Head, Rule = FrameRule.Time }, FrameSampling.Parse("head max_frames=12 fps=1"));

    [Theory]
    [InlineData("")]
    [InlineData("random")]
    [InlineData("0")]
    [InlineData("uniform max_frames=0")]
    [InlineData("uniform max_frames=99999999999")]
    [InlineData("uniform fps=0")]
    [InlineData("uniform fps=-1")]
    [InlineData("uniform fps=NaN")]
    [InlineData("uniform frames=3")]
    [InlineData("uniform rule=1")]
    [InlineData("uniform rule=OpenCV")]
    public void Refuses_what_it_does_not_know(string text) => Assert.Throws<UsageException>(() => FrameSampling.Parse(text));
}
