using System.Numerics.Tensors;
using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

public sealed class QueryMixTests
{
    [Theory]
    [InlineData("a dog -rain", "a dog", "rain")]
    [InlineData("-rain a dog", "a dog", "rain")]
    [InlineData("a dog -\"heavy rain\" at night -cats", "a dog at night", "heavy rain|cats")]
    [InlineData("a well-known t-shirt", "a well-known t-shirt", "")]
    [InlineData("a dog - at night -", "a dog - at night -", "")]
    [InlineData("5 -- 6", "5 -- 6", "")]
    [InlineData("a dog -\"never closed", "a dog closed", "never")]
    [InlineData("a dog -\"\"", "a dog", "")]
    public void A_minus_before_a_word_says_what_is_not_to_be_seen(string query, string words, string without)
    {
        var mix = QueryMix.Parse(query);
        Assert.Equal(words, mix.Words);
        Assert.Equal(without.Split('|', StringSplitOptions.RemoveEmptyEntries), mix.Without);
    }

    [Fact]
    public void Something_must_be_looked_for()
    {
        Assert.Contains("say what to look for too", Assert.Throws<UsageException>(() => QueryMix.Parse("-rain")).Message, StringComparison.Ordinal);
        Assert.Equal("", QueryMix.Parse("-rain", hasExamples: true).Words);
    }

    [Fact]
    public void The_vector_is_of_length_one_and_nearer_to_what_is_wanted()
    {
        float[] words = [1, 0, 0], rain = [0.6f, 0.8f, 0];
        float[] example = [0, 0, 1];
        var mixed = QueryMix.Compose(words, [example], [rain]);
        Assert.Equal(1, TensorPrimitives.Norm<float>(mixed), 1e-6f);
        Assert.True(TensorPrimitives.Dot<float>(mixed, example) > 0.5f);
        Assert.True(TensorPrimitives.Dot<float>(mixed, rain) < TensorPrimitives.Dot<float>(words, rain));
        Assert.Equal(example, QueryMix.Compose(null, [example], []));
        Assert.Equal(new float[] { 1, 0, 0 }, words);   // what is given is left as it is
    }
}
