using System.Diagnostics;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Evaluation;

public sealed class RetrievalMetricsTests
{
    private static readonly Gen<(SimilarityMatrix Similarity, int[] Owner)> Cases =
        from videos in Gen.Choose(1, 12)
        from extra in Gen.Choose(0, 12)
        from others in Gen.Choose(0, videos - 1).ArrayOf(extra)
        // Few different values, so that ties are common.
        from values in Gen.Choose(-4, 4).Select(i => i / 4f).ArrayOf((videos + extra) * videos)
        select (new SimilarityMatrix(videos + extra, videos, values), Enumerable.Range(0, videos).Concat(others).ToArray());

    [Fact]
    [Trait("Category", "Fixtures")]
    public void Agrees_with_the_published_code()
    {
        using var fixture = JsonDocument.Parse(File.ReadAllText(Fixtures.Find("metrics.json")));
        var cases = fixture.RootElement.GetProperty("single").EnumerateArray()
            .Concat(fixture.RootElement.GetProperty("multiple_captions").EnumerateArray()).ToList();
        Assert.NotEmpty(cases);
        foreach (var item in cases)
        {
            var rows = item.GetProperty("similarity").EnumerateArray()
                .Select(row => row.EnumerateArray().Select(value => value.GetSingle()).ToArray()).ToList();
            var similarity = new SimilarityMatrix(rows.Count, rows[0].Length, [.. rows.SelectMany(row => row)]);
            var owner = item.TryGetProperty("video_of_caption", out var owners)
                ? owners.EnumerateArray().Select(video => video.GetInt32()).ToArray()
                : null;
            AssertClose(item.GetProperty("t2v"), RetrievalMetrics.TextToVideo(similarity, owner));
            AssertClose(item.GetProperty("v2t"), RetrievalMetrics.VideoToText(similarity, owner));
        }
    }

    private static void AssertClose(JsonElement expected, RetrievalMetrics actual)
    {
        Assert.Equal(expected.GetProperty("R1").GetDouble(), actual.R1, 1e-9);
        Assert.Equal(expected.GetProperty("R5").GetDouble(), actual.R5, 1e-9);
        Assert.Equal(expected.GetProperty("R10").GetDouble(), actual.R10, 1e-9);
        Assert.Equal(expected.GetProperty("MedianR").GetDouble(), actual.MedianRank, 1e-9);
        Assert.Equal(expected.GetProperty("MeanR").GetDouble(), actual.MeanRank, 1e-9);
    }

    [Fact]
    public void Ranks_agree_with_sorting() =>
        Prop.ForAll(Cases.ToArbitrary(), item =>
        {
            var (similarity, owner) = item;
            foreach (var rank in Ranking.TextToVideo(similarity, owner))
                AssertPlaces(rank, similarity.Row(rank.Query).ToArray(), owner[rank.Query]);

            foreach (var rank in Ranking.VideoToText(similarity, owner))
            {
                var best = Enumerable.Range(0, similarity.Videos).Select(candidate => Enumerable.Range(0, owner.Length)
                    .Where(caption => owner[caption] == candidate).Max(caption => similarity[caption, rank.Query]));
                AssertPlaces(rank, [.. best], rank.Query);
            }
        }).QuickCheckThrowOnFailure();

    private static void AssertPlaces(QueryRank rank, float[] scores, int right)
    {
        var sorted = scores.OrderDescending().ToList();
        Assert.Equal(sorted.IndexOf(scores[right]) + 1, rank.Rank);
        Assert.Equal(sorted.LastIndexOf(scores[right]) + 1, rank.Rank + rank.Ties);
    }

    [Fact]
    public void Metrics_agree_with_the_list_of_all_places() =>
        Prop.ForAll(Cases.ToArbitrary(), item =>
        {
            var ranks = Ranking.TextToVideo(item.Similarity, item.Owner);
            var places = ranks.SelectMany(rank => Enumerable.Range(rank.Rank, rank.Ties + 1)).Order().ToList();
            var metrics = RetrievalMetrics.FromRanks(ranks);
            Assert.Equal(100.0 * places.Count(place => place <= 1) / places.Count, metrics.R1, 1e-9);
            Assert.Equal(100.0 * places.Count(place => place <= 5) / places.Count, metrics.R5, 1e-9);
            Assert.Equal(100.0 * places.Count(place => place <= 10) / places.Count, metrics.R10, 1e-9);
            Assert.Equal((places[(places.Count - 1) / 2] + places[places.Count / 2]) / 2.0, metrics.MedianRank, 1e-9);
            Assert.Equal(places.Average(), metrics.MeanRank, 1e-9);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_order_of_captions_and_videos_changes_nothing() =>
        Prop.ForAll(Cases.ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (item, seed) =>
        {
            var (similarity, owner) = item;
            var random = new Random(seed);
            var captions = Enumerable.Range(0, similarity.Texts).ToArray();
            var videos = Enumerable.Range(0, similarity.Videos).ToArray();
            random.Shuffle(captions);
            random.Shuffle(videos);
            var shuffled = new SimilarityMatrix(similarity.Texts, similarity.Videos,
                [.. captions.SelectMany(caption => videos.Select(video => similarity[caption, video]))]);
            int[] owners = [.. captions.Select(caption => Array.IndexOf(videos, owner[caption]))];
            Assert.Equal(RetrievalMetrics.TextToVideo(similarity, owner), RetrievalMetrics.TextToVideo(shuffled, owners));
            Assert.Equal(RetrievalMetrics.VideoToText(similarity, owner), RetrievalMetrics.VideoToText(shuffled, owners));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void One_answer_for_everything_scores_chance()
    {
        var metrics = RetrievalMetrics.TextToVideo(new SimilarityMatrix(20, 20, new float[400]));
        Assert.Equal(new RetrievalMetrics(5, 25, 50, 10.5, 10.5), metrics);
    }

    [Fact]
    public void A_video_without_captions_is_no_candidate_for_a_video()
    {
        var similarity = new SimilarityMatrix(2, 3, [0.5f, 0.9f, 0.9f, 0.6f, 0.1f, 0.4f]);
        Assert.Equal([new QueryRank(0, 2, 0), new QueryRank(2, 2, 0)], Ranking.VideoToText(similarity, [0, 2]));
        Assert.Equal([new QueryRank(0, 3, 0), new QueryRank(1, 2, 0)], Ranking.TextToVideo(similarity, [0, 2]));
    }

    [Fact]
    public void The_top_is_the_front_of_a_stable_sort() =>
        Prop.ForAll(Cases.ToArbitrary(), Gen.Choose(0, 15).ToArbitrary(), (item, count) =>
        {
            var row = item.Similarity.Row(0).ToArray();
            Assert.Equal(
                Enumerable.Range(0, row.Length).OrderByDescending(i => row[i]).Take(count), Ranking.Top(row, count));
        }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_diverged_model_is_named(float value)
    {
        var error = Assert.Throws<MvAdapterException>(() => new SimilarityMatrix(1, 2, [0, value]));
        Assert.Contains("diverged", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_sizes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new SimilarityMatrix(2, 2, new float[3]));
        var similarity = new SimilarityMatrix(2, 3, new float[6]);
        Assert.Throws<ArgumentException>(() => Ranking.TextToVideo(similarity));
        Assert.Throws<ArgumentException>(() => Ranking.TextToVideo(similarity, [0]));
        Assert.Throws<ArgumentException>(() => Ranking.VideoToText(similarity, [0, 3]));
        Assert.Throws<MvAdapterException>(() => RetrievalMetrics.FromRanks([]));
    }

    [Fact]
    public void Embeddings_are_multiplied()
    {
        var random = new Random(3);
        var texts = Enumerable.Range(0, 70 * 3).Select(_ => random.NextSingle()).ToArray();
        var videos = Enumerable.Range(0, 5 * 3).Select(_ => random.NextSingle()).ToArray();
        var similarity = SimilarityMatrix.FromEmbeddings(texts, videos, 3);
        Assert.Equal((70, 5), (similarity.Texts, similarity.Videos));
        for (var t = 0; t < 70; t++)
            for (var v = 0; v < 5; v++)
                Assert.Equal(Enumerable.Range(0, 3).Sum(i => texts[(t * 3) + i] * videos[(v * 3) + i]), similarity[t, v], 1e-5f);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public void Ten_thousand_by_ten_thousand_ranks_in_seconds()
    {
        const int n = 10_000;
        var random = new Random(1);
        var values = new float[n * n];
        for (var i = 0; i < values.Length; i++) values[i] = random.NextSingle();
        var similarity = new SimilarityMatrix(n, n, values);

        var watch = Stopwatch.StartNew();
        var metrics = RetrievalMetrics.TextToVideo(similarity);
        RetrievalMetrics.VideoToText(similarity);
        Assert.InRange(metrics.MedianRank, 4000, 6000);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"took {watch.Elapsed}");
    }
}
