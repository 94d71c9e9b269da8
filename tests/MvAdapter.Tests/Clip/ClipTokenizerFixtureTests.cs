using System.Diagnostics;
using System.Text.Json;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Clip;

[Trait("Category", "Fixtures")]
public sealed class ClipTokenizerFixtureTests
{
    private sealed record Case(string Text, int[] Tokens, int[] InputIds);
    private sealed record CaseFile(int MaxWords, Case[] Cases);

    private static readonly JsonSerializerOptions SnakeCase = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private static CaseFile Read() => JsonSerializer.Deserialize<CaseFile>(File.ReadAllText(Fixtures.Find("tokenizer.json")), SnakeCase)!;

    [Fact]
    public void Ids_equal_the_published_tokenizer()
    {
        var file = Read();
        var tokenizer = ClipTokenizer.Load(Fixtures.Vocabulary);
        Assert.NotEmpty(file.Cases);
        foreach (var (text, tokens, inputIds) in file.Cases)
        {
            Assert.Equal((text, string.Join(' ', tokens)), (text, string.Join(' ', tokenizer.Encode(text))));
            Assert.Equal(inputIds, tokenizer.EncodeRow(text, file.MaxWords));
        }
    }

    [Fact]
    public void A_Hugging_Face_folder_gives_the_same_ids()
    {
        var published = ClipTokenizer.Load(Fixtures.Vocabulary);
        var tokenizer = ClipTokenizer.Load(Fixtures.Find("end_to_end/huggingface"));
        Assert.Equal(published.VocabularySize, tokenizer.VocabularySize);
        foreach (var (text, _, _) in Read().Cases) Assert.Equal(published.Encode(text), tokenizer.Encode(text));
    }

    [Fact]
    public void Captions_are_quick_and_long_words_no_trap()
    {
        var tokenizer = ClipTokenizer.Load(Fixtures.Vocabulary);
        var captions = Enumerable.Range(0, 10_000).Select(i => $"a man number {i} is riding a bicycle{i % 100} down the street, quickly!").ToList();
        var watch = Stopwatch.StartNew();
        tokenizer.EncodeBatch(captions, 32);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"10,000 captions took {watch.Elapsed}");
        watch.Restart();
        tokenizer.Encode(string.Concat(Enumerable.Repeat("hippopotamus", 1_000)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(2), $"12,000 letters took {watch.Elapsed}");
    }
}
