using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Datasets;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests.Training;

public sealed class BatchSamplerTests
{
    /// <summary>Videos of one to four captions each; a few captions are said of several videos.</summary>
    private static readonly Gen<(List<TrainingPair> Pairs, int BatchSize, long Seed)> Cases =
        from captionCounts in Gen.Choose(1, 4).ListOf().Where(counts => counts.Count >= 2)
        from batchSize in Gen.Choose(2, 6)
        from seed in Gen.Choose(0, 1000)
        select (PairsOf([.. captionCounts]), batchSize, (long)seed);

    [Fact]
    public void No_video_and_no_caption_meets_itself_in_a_distinct_batch() => Check(distinct: true, (sampler, _) =>
        sampler.Epoch(0).All(batch => batch.Count == sampler.BatchSize
            && batch.Select(pair => pair.Sample.Id).Distinct().Count() == batch.Count
            && batch.Select(pair => pair.Caption).Distinct().Count() == batch.Count));

    [Fact]
    public void A_pair_is_used_at_most_once_an_epoch() => Check(distinct: true, (sampler, pairs) =>
    {
        var used = sampler.Epoch(1).SelectMany(batch => batch).Select(pair => (pair.Sample.Id, pair.Caption)).ToList();
        return used.Count == used.Distinct().Count() && used.All(pair => pairs.Any(known => (known.Sample.Id, known.Caption) == pair));
    });

    [Fact]
    public void Without_the_rule_only_what_does_not_fill_a_batch_is_left_out() => Check(distinct: false, (sampler, pairs) =>
        sampler.BatchesPerEpoch == pairs.Count / sampler.BatchSize && sampler.Epoch(0).All(batch => batch.Count == sampler.BatchSize));

    [Fact]
    public void The_same_seed_and_epoch_give_the_same_batches() => Prop.ForAll(Cases.ToArbitrary(), item =>
    {
        if (TryMake(item.Pairs, item.BatchSize, distinct: true, item.Seed) is not { } sampler) return true;
        var again = TryMake(item.Pairs, item.BatchSize, distinct: true, item.Seed)!;
        return Text(sampler.Epoch(3)) == Text(again.Epoch(3));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Epochs_and_seeds_differ()
    {
        var pairs = PairsOf([.. Enumerable.Repeat(2, 20)]);
        var sampler = new BatchSampler(pairs, 4, distinct: true, seed: 1);
        Assert.NotEqual(Text(sampler.Epoch(0)), Text(sampler.Epoch(1)));
        Assert.NotEqual(Text(sampler.Epoch(0)), Text(new BatchSampler(pairs, 4, distinct: true, seed: 2).Epoch(0)));
    }

    [Fact]
    public void Distinct_batches_waste_little()
    {
        var pairs = PairsOf([.. Enumerable.Repeat(20, 50)]);
        var sampler = new BatchSampler(pairs, 16, distinct: true, seed: 0);
        Assert.InRange(sampler.BatchesPerEpoch, 0.9 * pairs.Count / 16, pairs.Count / 16.0);
    }

    [Fact]
    public void The_usual_batch_is_16_or_all_of_a_small_dataset()
    {
        Assert.Equal(16, new BatchSampler(PairsOf([.. Enumerable.Repeat(1, 40)]), 0, distinct: true, seed: 0).BatchSize);
        Assert.Equal(5, new BatchSampler(PairsOf([1, 1, 1, 1, 1]), 0, distinct: true, seed: 0).BatchSize);
    }

    [Theory]
    [InlineData(1, 0, true, "there must be at least 2")]
    [InlineData(1, 0, false, "there must be at least 2")]
    [InlineData(4, 5, true, "batch_size 5 exceeds the 4 different videos")]
    [InlineData(4, 5, false, "batch_size 5 exceeds the 4 pairs")]
    public void A_batch_that_cannot_be_filled_is_refused(int videos, int batchSize, bool distinct, string reason)
    {
        var pairs = PairsOf([.. Enumerable.Repeat(1, videos)]);
        Assert.Contains(reason, Assert.Throws<UsageException>(() => new BatchSampler(pairs, batchSize, distinct, 0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Videos_that_all_share_their_captions_cannot_fill_a_batch_either()
    {
        // Three videos and three captions, but a is in all pairs but one: no three pairs differ in both.
        TrainingPair[] pairs = [Pair("a", "x"), Pair("a", "y"), Pair("a", "z"), Pair("b", "x"), Pair("c", "x")];
        var error = Assert.Throws<UsageException>(() => new BatchSampler(pairs, 3, distinct: true, seed: 0));
        Assert.Contains("distinct_batches", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pair_brings_each_of_its_wrong_answers_in_turn()
    {
        var pairs = PairsOf([1, 1, 1, 1]);
        VideoClip Of(int video, double? start = null, double? end = null) => new($"v{video}.mp4", start, end);
        var sampler = new BatchSampler(pairs, 4, distinct: true, seed: 0, [
            new(Of(1), "Caption 0-0"), new(Of(2, 1, 2), "caption 0-0"), new(Of(0, 3, 5), "caption 0-0"),   // the last shows what is called right
            new(Of(3), "caption 1-0"), new(Of(3), "nobody's caption")]);
        foreach (var epoch in Enumerable.Range(0, 4))
        {
            var brought = Assert.Single(sampler.Epoch(epoch)).Where(pair => pair.WrongAnswer is not null).ToDictionary(pair => pair.Sample.Id, pair => pair.WrongAnswer!);
            Assert.Equal(["v0", "v1"], brought.Keys.Order());
            Assert.Equal(epoch % 2 == 0 ? Of(1) : Of(2, 1, 2), brought["v0"]);
            Assert.Equal(Of(3), brought["v1"]);
        }
    }

    private static void Check(bool distinct, Func<BatchSampler, List<TrainingPair>, bool> holds) => Prop.ForAll(Cases.ToArbitrary(), item =>
        TryMake(item.Pairs, item.BatchSize, distinct, item.Seed) is not { } sampler || holds(sampler, item.Pairs)).QuickCheckThrowOnFailure();

    private static BatchSampler? TryMake(List<TrainingPair> pairs, int batchSize, bool distinct, long seed)
    {
        try
        {
            return new BatchSampler(pairs, batchSize, distinct, seed);
        }
        catch (UsageException)
        {
            return null;   // too few to fill a batch, which has tests of its own
        }
    }

    private static List<TrainingPair> PairsOf(int[] captionCounts) =>
        [.. captionCounts.SelectMany((count, video) => Enumerable.Range(0, count).Select(i => Pair($"v{video}", i == 3 ? "said of many" : $"caption {video}-{i}")))];

    private static TrainingPair Pair(string video, string caption) => new(new Sample(video, video + ".mp4", null, null, [caption], Split.Train), caption);

    private static string Text(IReadOnlyList<IReadOnlyList<TrainingPair>> batches) =>
        string.Join('\n', batches.Select(batch => string.Join(' ', batch.Select(pair => $"{pair.Sample.Id}:{pair.Caption}"))));
}
