using System.Diagnostics;
using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Clip;

public sealed class ClipTokenizerTests : IDisposable
{
    private const string Merges = "#version: 0.2\nc a\nca t</w>\nd o\n";

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private ClipTokenizer Small() => ClipTokenizer.Load(folder.Write("bpe_simple_vocab_16e6.txt", Merges));

    [Fact]
    public void Ids_follow_the_order_of_bytes_merges_and_special_tokens()
    {
        var tokenizer = Small();
        Assert.Equal(2 * 256 + 3 + 2, tokenizer.VocabularySize);
        Assert.Equal(515, tokenizer.StartOfText);
        Assert.Equal(516, tokenizer.EndOfText);
        Assert.Equal([513, 'a' - '!', 256 + 't' - '!', 514, 'g' + 256 - '!'], tokenizer.Encode("Cat at dog"));
    }

    [Fact]
    public void Rows_are_cut_and_padded()
    {
        var tokenizer = Small();
        Assert.Equal([515, 513, 513, 516, 0], tokenizer.EncodeRow("cat cat", 5));
        Assert.Equal([515, 513, 516], tokenizer.EncodeRow("cat cat", 3));
        Assert.Equal([515, 516], tokenizer.EncodeRow("cat", 2));
        Assert.Equal([515L, 513, 516, 515, 516, 0], tokenizer.EncodeBatch(["cat", ""], 3));
        Assert.Throws<UsageException>(() => tokenizer.EncodeRow("cat", 1));
        Assert.Throws<UsageException>(() => tokenizer.EncodeBatch(["cat"], -1));
        Assert.Throws<UsageException>(() => tokenizer.EncodeBatch(["cat", "cat"], int.MaxValue));
    }

    [Fact]
    public void Splits_as_the_published_pattern() => Assert.Equal(
        ["it", "'s", "don", "'t", "2", "0", "½", "𝒳𠀀", "😀!?", "'", "x", "<|endoftext|>", "<|", "y", "न", "ि"],
        WordScanner.Words("it's don't 20½ 𝒳𠀀 😀!? 'x<|endoftext|><|y नि"));

    [Fact]
    public void Special_tokens_in_a_text_count_as_such() =>
        Assert.Equal([515, 513, 516], Small().Encode("<|startoftext|>cat<|EndOfText|>"));

    [Theory]
    [InlineData("")]
    [InlineData("\u0000\u0001\u001B[0m\n")]
    [InlineData("\u3000\u00A0")]
    public void Nothing_to_read_gives_no_tokens(string text) => Assert.Empty(Small().Encode(text));

    [Fact]
    public void Reads_a_folder_a_text_file_and_a_gzip_file_alike()
    {
        var expected = Small().Encode("a cat and a dog");
        var zipped = new MemoryStream();
        using (var gzip = new GZipStream(zipped, CompressionMode.Compress)) gzip.Write(Encoding.UTF8.GetBytes(Merges));
        Assert.Equal(expected, ClipTokenizer.Load(folder.Write("other.gz", zipped.ToArray())).Encode("a cat and a dog"));
        Assert.Equal(expected, ClipTokenizer.Load(folder.Path).Encode("a cat and a dog"));
    }

    [Fact]
    public void Encodes_any_text_within_the_vocabulary()
    {
        var tokenizer = Small();
        Prop.ForAll(HostileText.Arbitrary, text =>
        {
            var row = tokenizer.EncodeRow(text, 16);
            return row.Length == 16 && row[0] == tokenizer.StartOfText && row.Contains(tokenizer.EndOfText)
                && tokenizer.Encode(text).All(id => id >= 0 && id < tokenizer.VocabularySize);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Decoding_gives_the_cleaned_text_back()
    {
        var tokenizer = Small();
        Prop.ForAll(HostileText.Arbitrary, text =>
            WithoutSpaces(tokenizer.Decode(tokenizer.Encode(text))) == WithoutSpaces(TextCleaner.Clean(text)))
            .QuickCheckThrowOnFailure();
        Assert.Equal("cat dog ", tokenizer.Decode(tokenizer.Encode("Cat Dog")));
        Assert.Throws<MvAdapterException>(() => tokenizer.Decode([-1]));

        static string WithoutSpaces(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
    }

    [Fact]
    public void Many_threads_get_the_same_ids()
    {
        var tokenizer = Small();
        var texts = Enumerable.Range(0, 500).Select(i => $"cat{i % 50} dog{i % 30} can't").ToList();
        var expected = texts.Select(text => string.Join(' ', Small().Encode(text))).ToList();
        Assert.Equal(expected, texts.AsParallel().AsOrdered().Select(text => string.Join(' ', tokenizer.Encode(text))).ToList());
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData("#version: 0.2\nc a\nonly\n", "line 3")]
    [InlineData("#version: 0.2\nc a t\n", "line 2")]
    [InlineData("#version: 0.2\nzebra crossing\n", "zebra")]
    public void Malformed_merges_are_named(string merges, string reason) => Refuses(folder.Write("merges.txt", merges), reason);

    [Theory]
    [InlineData("", "JSON")]
    [InlineData("{\"a\": 1", "JSON")]
    [InlineData("[1]", "object")]
    [InlineData("{\"a\": -1}", "\"a\"")]
    [InlineData("{\"a\": 1e99}", "\"a\"")]
    [InlineData("{\"a\": \"1\"}", "\"a\"")]
    [InlineData("{\"\\ud800\": 1}", "JSON")]
    [InlineData("{}", "<|startoftext|>")]
    [InlineData("{\"<|startoftext|>\": 0, \"<|endoftext|>\": 1}", "lacks the token")]
    public void Malformed_ids_are_named(string json, string reason)
    {
        folder.Write("merges.txt", Merges);
        folder.Write("vocab.json", json);
        Refuses(folder.Path, reason);
    }

    [Fact]
    public void Missing_and_damaged_files_are_named()
    {
        Refuses(folder.Path, "holds no vocabulary");
        Refuses(folder.File("absent.txt"), "no such vocabulary");
        Refuses(folder.Write("plain.gz", "not compressed"), "gzip");
    }

    private static void Refuses(string path, string reason)
    {
        var error = Assert.Throws<InvalidFileException>(() => ClipTokenizer.Load(path));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void A_merge_everywhere_in_a_word_goes_before_what_it_makes_possible()
    {
        var tokenizer = ClipTokenizer.Load(folder.Write("merges.txt", "#version: 0.2\nxy x\nx y\n"));
        Assert.Equal([513, 513, 256 + 'q' - '!'], tokenizer.Encode("xyxyq"));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("ca")]
    [InlineData("catdo!?")]
    [InlineData("é")]
    public void Long_texts_without_a_space_take_no_long_time(string part)
    {
        var text = string.Concat(Enumerable.Repeat(part, 100_000 / part.Length));
        var tokenizer = Small();
        var watch = Stopwatch.StartNew();
        Assert.NotEmpty(tokenizer.Encode(text));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"took {watch.Elapsed}");
    }
}
