using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Clip;

/// <summary>Merging of tokens against the same written plainly, and against what it must leave as it is.</summary>
public sealed class TokenMergingTests : IDisposable
{
    private readonly TensorScope scope = new();

    public void Dispose() => scope.Dispose();

    [Theory]
    [InlineData(9, 3)]
    [InlineData(8, 3)]
    [InlineData(9, 100)]
    [InlineData(3, 1)]
    public void It_is_what_the_paper_says(int length, int count)
    {
        const int frames = 2, width = 5, keyWidth = 4;
        using var generator = new Generator((ulong)(length + count));
        var x = Tensor.RandN([frames, length, width], generator);
        var keys = Tensor.RandN([frames, length, keyWidth], generator);
        var (once, groups) = TokenMerging.Merge(x, keys, null, count);
        var expected = Enumerable.Range(0, frames).Select(frame => Plainly(
            Rows(x, frame), Rows(keys, frame), [.. Enumerable.Range(0, length).Select(i => (float[])[1])], count)).ToList();
        for (var frame = 0; frame < frames; frame++)
        {
            Close(expected[frame].Tokens, Rows(once, frame));
            Assert.Equal(expected[frame].Sizes, groups!.Sizes.Select(0, frame).ToFloats());
        }
        if (once.Size(1) == 2) return;
        // And once more, when tokens count as several.
        var more = Tensor.RandN([frames, once.Size(1), keyWidth], generator);
        var (twice, after) = TokenMerging.Merge(once, more, groups, count);
        for (var frame = 0; frame < frames; frame++)
        {
            var plain = Plainly(Rows(once, frame), Rows(more, frame), [.. expected[frame].Sizes.Select(size => (float[])[size])], count);
            Close(plain.Tokens, Rows(twice, frame));
            Assert.Equal(plain.Sizes, after!.Sizes.Select(0, frame).ToFloats());
            // Each patch is with the token that its own went into: sizes are what so many patches are there.
            var places = after.Places.Select(0, frame).To(DType.Float32).ToFloats();
            for (var token = 1; token < plain.Sizes.Length; token++) Assert.Equal(plain.Sizes[token], places.Count(place => place == token));
        }
    }

    [Fact]
    public void Nothing_is_merged_where_nothing_is_to_be()
    {
        var x = Tensor.RandN([1, 5, 3]);
        var (same, groups) = TokenMerging.Merge(x, x, null, 0);
        Assert.Same(x, same);
        Assert.Null(groups);
        Assert.Same(x = Tensor.RandN([1, 2, 3]), TokenMerging.Merge(x, x, null, 4).Tokens);   // one patch has no partner
    }

    [Fact]
    public void Tokens_that_are_equal_count_as_two_when_they_are_one()
    {
        // Two layers: what the first has merged, the second attends to. Each patch has a twin.
        var config = new ClipConfig(32, 16, 4, 48, 2, 32, 2, 10, 40);
        using var clip = ClipModel.CreateRandom(config, 3);
        using var generator = new Generator(4);
        using (new NoGrad())
        {
            var positions = clip.Parameters["visual.positional_embedding"];
            for (var patch = 1; patch < 17; patch += 2) positions.Narrow(0, patch + 1, 1).CopyFrom(positions.Narrow(0, patch, 1));
        }
        // Pictures whose patches (rows of four of 4 x 4 pixels) are alike two by two.
        var halves = Tensor.RandN([6, 3, 4, 4, 2, 1, 4], generator).Expand(6, 3, 4, 4, 2, 2, 4).Reshape(6, 3, 16, 16);
        using var exact = RetrievalModel.ZeroShot(clip);
        using var merging = RetrievalModel.ZeroShot(clip);
        merging.MergeTokens = 8;
        var pixels = halves.View(2, 3, 3, 16, 16);
        var (expected, actual) = (exact.EncodeVideos(pixels, null).ToFloats(), merging.EncodeVideos(pixels, null).ToFloats());
        Rounding.AssertSame(expected, actual, Rounding.SumsOf(2));
        merging.MergeTokens = 4;
        Rounding.AssertSame(expected, merging.EncodeVideos(pixels, null).ToFloats(), Rounding.SumsOf(2));
    }

    [Fact]
    public void Another_number_of_tokens_is_another_model()
    {
        using var clip = ClipModel.CreateRandom(new ClipConfig(32, 16, 4, 48, 2, 32, 2, 10, 40), 3);
        using var model = RetrievalModel.ZeroShot(clip);
        var exact = model.Identity;
        model.MergeTokens = 2;
        Assert.NotEqual(exact, model.Identity);
        model.MergeTokens = 0;
        Assert.Equal(exact, model.Identity);
    }

    // The paper's steps, one token after another.
    private static (float[][] Tokens, float[] Sizes) Plainly(float[][] tokens, float[][] keys, float[][] sizes, int count)
    {
        var seekers = Enumerable.Range(0, tokens.Length - 1).Where(i => i % 2 == 0).Select(i => i + 1).ToList();
        var sought = Enumerable.Range(0, tokens.Length - 1).Where(i => i % 2 == 1).Select(i => i + 1).ToList();
        var partners = seekers.Select(seeker => sought.Select(other => (Seeker: seeker, Other: other, Score: Cosine(keys[seeker], keys[other]))).MaxBy(pair => pair.Score)).ToList();
        var merged = partners.OrderByDescending(pair => pair.Score).Take(Math.Min(count, sought.Count)).ToList();
        var stay = partners.OrderByDescending(pair => pair.Score).Skip(merged.Count).Select(pair => pair.Seeker);
        var groups = stay.Select(seeker => (int[])[seeker]).Concat(sought.Select(other => (int[])[other, .. merged.Where(pair => pair.Other == other).Select(pair => pair.Seeker)])).Prepend([0]).ToList();
        return ([.. groups.Select(group => Enumerable.Range(0, tokens[0].Length).Select(j => group.Sum(i => sizes[i][0] * tokens[i][j]) / group.Sum(i => sizes[i][0])).ToArray())],
            [.. groups.Select(group => group.Sum(i => sizes[i][0]))]);
    }

    private static double Cosine(float[] a, float[] b) =>
        a.Zip(b, (x, y) => (double)x * y).Sum() / Math.Sqrt(a.Sum(x => (double)x * x) * b.Sum(x => (double)x * x));

    private static float[][] Rows(Tensor x, long frame) => [.. x.Select(0, frame).ToFloats().Chunk((int)x.Size(2))];

    private static void Close(float[][] expected, float[][] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++) Rounding.AssertSame(expected[i], actual[i], 1);
    }
}
