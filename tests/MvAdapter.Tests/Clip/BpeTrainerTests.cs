using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Clip;

public sealed class BpeTrainerTests
{
    private static readonly string[] Captions =
        ["A red square moves left", "a blue square moves right", "the red circle moves up", "naïve café 😀 it's 42"];

    [Fact]
    public void Learns_a_vocabulary_that_the_tokenizer_reads()
    {
        using var folder = new TemporaryFolder();
        BpeTrainer.Train(Captions, 40).Save(folder.Path);
        var tokenizer = ClipTokenizer.Load(folder.Path);
        Assert.Equal(2 * 256 + 40 + 2, tokenizer.VocabularySize);
        Assert.Equal("moves ", tokenizer.Decode([Assert.Single(tokenizer.Encode("moves"))]));
        foreach (var caption in Captions.Append("never seen: zebra 日本"))
            Assert.Equal(TextCleaner.Clean(caption).Replace(" ", "", StringComparison.Ordinal),
                tokenizer.Decode(tokenizer.Encode(caption)).Replace(" ", "", StringComparison.Ordinal));
    }

    [Fact]
    public void The_most_frequent_pair_comes_first_and_equals_in_ordinal_order()
    {
        Assert.Equal("#version: 0.2\nb c</w>\na bc</w>\nx y</w>\n", BpeTrainer.Train(["abc bc xy"], 10).Merges);
        Assert.Equal("#version: 0.2\na b</w>\n", BpeTrainer.Train(["xy ab"], 1).Merges);
        Assert.Equal("#version: 0.2\n", BpeTrainer.Train([], 10).Merges);
    }

    [Fact]
    public void The_same_texts_in_any_order_give_the_same_vocabulary() =>
        Assert.Equal(BpeTrainer.Train(Captions, 40), BpeTrainer.Train(Captions.Reverse(), 40));
}
