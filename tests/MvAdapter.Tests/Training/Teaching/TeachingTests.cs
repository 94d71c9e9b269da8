using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Clip;
using MvAdapter.Datasets;
using MvAdapter.Teaching;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Training;

public sealed class TeachingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private static TaughtClip[] Clips(params int[] ofVideos) =>
        [.. ofVideos.SelectMany((count, video) => Enumerable.Range(0, count).Select(i => new TaughtClip($"v{video}", $"/v{video}.mp4", i, i + 1, [$"clip {i} of {video}"])))];

    [Fact]
    public void No_video_is_learnt_from_and_measured_by()
    {
        var numbers = Gen.Choose(1, 12).ListOf().Where(list => list.Count >= TeachingSplit.LeastVideos && list.Sum() >= TeachingSplit.LeastClips);
        Check.QuickThrowOnFailure(Prop.ForAll(numbers.ToArbitrary(), Gen.Choose(0, 1000).ToArbitrary(), (list, seed) =>
        {
            var clips = Clips([.. list]);
            var folds = TeachingSplit.Of(clips, seed);
            foreach (var fold in folds)
            {
                Assert.Equal(Enumerable.Range(0, clips.Length), fold.Train.Concat(fold.Held).Order());
                Assert.Empty(fold.Train.Select(i => clips[i].Video).Intersect(fold.Held.Select(i => clips[i].Video)));
                Assert.NotEmpty(fold.Train);
                Assert.NotEmpty(fold.Held);
            }
            // Held out, or each clip in one part.
            if (folds.Count == 1) Assert.InRange(folds[0].Held.Count, Math.Max(TeachingSplit.LeastHeld, clips.Length / 10), (int)(0.15 * clips.Length));
            else Assert.Equal(Enumerable.Range(0, clips.Length), folds.SelectMany(fold => fold.Held).Order());
            Assert.Equivalent(folds, TeachingSplit.Of(clips, seed), strict: true);
        }));
    }

    [Fact]
    public void A_tenth_of_many_clips_is_held_out_and_few_are_cross_validated()
    {
        Assert.Equal(40, Assert.Single(TeachingSplit.Of(Clips([.. Enumerable.Repeat(1, 400)]))).Held.Count);
        Assert.Equal(20, Assert.Single(TeachingSplit.Of(Clips([.. Enumerable.Repeat(1, 140)]))).Held.Count);
        Assert.Equal([10, 10, 10, 10, 10], TeachingSplit.Of(Clips([.. Enumerable.Repeat(1, 50)])).Select(fold => fold.Held.Count));
        Assert.Contains("captions of 9 clips of 9 videos, and 10 clips of 5 videos are the least",
            Assert.Throws<MvAdapterException>(() => TeachingSplit.Of(Clips([.. Enumerable.Repeat(1, 9)]))).Message, StringComparison.Ordinal);
        Assert.Contains("of 4 videos", Assert.Throws<MvAdapterException>(() => TeachingSplit.Of(Clips(10, 10, 10, 10))).Message, StringComparison.Ordinal);
    }

    private static HeldQuery Query(int video, int before, int after) => new($"q{video}", $"v{video}", $"/v{video}.mp4", 0, 1, before, after, 100);

    [Fact]
    public void Better_is_what_chance_in_the_choice_of_videos_does_not_explain()
    {
        var better = TeachingReport.Of([.. Enumerable.Range(0, 40).Select(i => Query(i, 20, i < 20 ? 1 : 8))], 100, 100, 1);
        Assert.True(better.IsBetter);
        Assert.Equal((0, 50), (better.R1.Before, better.R1.After));
        Assert.InRange(better.R1.Least, 20, 49);
        Assert.InRange(better.R1.Most, 51, 80);
        Assert.Equal(-15.5, better.MedianRank.Change);
        Assert.False(TeachingReport.Of([.. Enumerable.Range(0, 40).Select(i => Query(i, i % 2 == 0 ? 1 : 4, i % 2 == 0 ? 4 : 1))], 100, 100, 1).IsBetter);
        Assert.False(TeachingReport.Of([.. Enumerable.Range(0, 40).Select(i => Query(i, 1, 3))], 100, 100, 1).IsBetter);
        // One video with forty captions is one witness, not forty: drawn or not, the change is the same, but two videos that disagree say nothing.
        var few = TeachingReport.Of([.. Enumerable.Range(0, 40).Select(i => Query(i % 2, i % 2 == 0 ? 9 : 1, i % 2 == 0 ? 1 : 2))], 100, 100, 1);
        Assert.False(few.IsBetter);
        Assert.Equal((-100, 100), (few.R1.Least, few.R1.Most));
    }

    [Fact]
    public void A_report_is_read_as_it_was_written()
    {
        var report = TeachingReport.Of([Query(1, 3, 1), Query(2, 1, 1), Query(3, 2, 40)], 10, 12, 5);
        report.Write(folder.File("report.json"));
        Assert.Equivalent(report, TeachingReport.Read(folder.File("report.json")), strict: true);
        Assert.Equal(["q3", "q1", "q2"], report.Queries.Select(query => query.Caption));   // what moved most comes first
        Assert.Contains("rank 2 -> 40 of 100: \"q3\"", report.ToText(), StringComparison.Ordinal);
        File.WriteAllText(folder.File("report.json"), "{");
        Assert.Throws<InvalidFileException>(() => TeachingReport.Read(folder.File("report.json")));
    }

    [Fact]
    public void The_caption_file_of_a_run_shows_other_frames_of_the_same_clip()
    {
        var video = Ffmpeg.Make(folder.File("a \u2013 b.mp4"), "testsrc=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
        TeachingRecipe.WriteCaptions(folder.File("c.jsonl"), [new TaughtClip("h", video, 0, 2, ["\"one\" \u72ac", "two"]), new TaughtClip("g", video, 1, 3, ["three"])],
            [new TaughtClip("g", video, 1, 2, ["one", "two"])], 4);
        var data = DatasetSource.Load("captions", new DatasetOptions { Annotations = folder.File("c.jsonl") });
        Assert.Equal([(0, 2), (0.25, 2), (0, 1.75), (1, 3), (1.25, 3), (1, 2.75)], data.Samples.Select(sample => (sample.Start!.Value, sample.End!.Value)));
        Assert.All(data.Samples, sample => Assert.Equal(video, sample.VideoPath));
        Assert.Equal(["\"one\" \u72ac", "two"], data.Samples[1].Captions);
        Assert.Equal([new WrongAnswer(new VideoClip(video, 1, 2), "one"), new WrongAnswer(new VideoClip(video, 1, 2), "two")], data.WrongAnswers);
    }

    [Theory]
    [InlineData(10, 5, 120)]
    [InlineData(180, 32, 337)]
    [InlineData(5000, 32, 1200)]
    public void The_recipe_fits_few_pairs_and_many(int clips, int batch, int steps)
    {
        var sampling = FrameSampling.Parse("symmetric max_frames=8 fps=all rule=published");
        var small = TeachingRecipe.Config("c", new ClipConfig(128, 64, 16, 128, 4, 128, 2, 32, 608), sampling, 24, clips, clips, "a.jsonl", 3);
        Assert.Equal((batch, steps, 3e-3, 3L), (small.BatchSize, small.Steps, small.AdapterLr, small.Seed));
        Assert.Equal(sampling, small.FrameSampling());
        var large = TeachingRecipe.Config("c", ClipConfig.ViTB16, sampling, 24, clips, clips, "a.jsonl", 3);
        Assert.InRange(large.AdapterLr, 0.99e-4, 1.01e-4);
        Assert.InRange(large.BatchSize, 2, 16);
        small.Validate();
        large.Validate();
    }
}
