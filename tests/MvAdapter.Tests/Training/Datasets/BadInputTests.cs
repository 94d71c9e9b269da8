using MvAdapter.Datasets;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Datasets;

public sealed class BadInputTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public BadInputTests() => folder.Write("a.mp4", "");

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("c.csv", "", "is empty")]
    [InlineData("c.csv", "video,text\na,x\n", "line 1: no column 'caption'")]
    [InlineData("c.csv", "video,caption\na,x\na\n", "line 3 has 1 fields where the header has 2")]
    [InlineData("c.csv", "video,caption\na,x\n\na,y\n", "line 3 is empty")]
    [InlineData("c.csv", "video,caption\na,x\na, \n", "line 3, field caption: empty")]
    [InlineData("c.csv", "video,caption\na,\"x\n", "line 2: not valid CSV")]
    [InlineData("c.csv", "video,caption,start\na,x,soon\n", "line 2, field start: 'soon' is not a number")]
    [InlineData("c.csv", "video,caption,start\na,x,-1\n", "line 2, field start")]
    [InlineData("c.csv", "video,caption,start,end\na,x,3,2\n", "line 2, field end: not after the start")]
    [InlineData("c.csv", "video,caption,end\na,x,NaN\n", "line 2, field end")]
    [InlineData("c.csv", "video,caption,split\na,x,tset\n", "line 2, field split: 'tset'")]
    [InlineData("c.csv", "video,caption,kind\na,x,\na,y,wrnog\n", "line 3, field kind: 'wrnog' is not caption, right or wrong")]
    [InlineData("c.jsonl", "", "is empty")]
    [InlineData("c.jsonl", "\n\n", "is empty")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": \"x\"}\n\n{\"video\": \"a\", \"caption\": \"y\"}\n", "line 2 is empty")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": \"x\"}\n{\"video\": \"a\", \"capt", "line 2")]
    [InlineData("c.jsonl", "{\"video\": \"a\"}\n", "line 1: lacks 'caption'")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": 3}\n", "line 1, field caption: missing, null or of the wrong kind")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": null}\n", "line 1, field caption: missing, null or of the wrong kind")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": \" \"}\n", "line 1, field caption: empty")]
    [InlineData("c.jsonl", "[1]\n", "line 1: missing, null or of the wrong kind")]
    [InlineData("c.jsonl", "null\n", "line 1: missing, null or of the wrong kind")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": \"\\ud800\"}\n", "line 1, field caption")]
    [InlineData("c.jsonl", "{\"video\": \"a\", \"caption\": \"x\", \"start\": 1e999}\n", "line 1, field start")]
    [InlineData("c.txt", "a x\n", "neither .jsonl, .csv nor .tsv")]
    public void A_malformed_caption_file_is_one_line(string file, string text, string expected)
    {
        var path = folder.Write(file, text);
        AssertOneLine(expected, Assert.Throws<InvalidFileException>(() => Load("captions", path)));
    }

    [Theory]
    [InlineData("{\"sentences\": [\n{\"caption\": \"x\", \"video_id\": 7}]}", "line 2, field sentences[0].video_id")]
    [InlineData("{\"sentences\": [\n{\"caption\": \"x\"}]}", "line 2, field sentences[0]: lacks 'video_id'")]
    [InlineData("{\"sentences\": [null]}", "line 1, field sentences[0]")]
    [InlineData("{\"videos\": []}", "lacks 'sentences'")]
    [InlineData("{\"sentences\": [\n{\"caption\": \"x\", ", "not valid JSON")]
    [InlineData("", "not valid JSON")]
    [InlineData("null", "holds only null")]
    [InlineData("{\"sentences\": [{\"caption\": \"x\", \"video_id\": \"b\"}]}", "'a' has no caption")]
    [InlineData("{\"sentences\": [{\"caption\": \" \", \"video_id\": \"a\"}]}", "'a' has no caption")]
    public void A_malformed_official_file_is_one_line(string text, string expected)
    {
        folder.Write("MSRVTT_train.9k.csv", "video_id\na\n");
        folder.Write("MSRVTT_data.json", text);
        AssertOneLine(expected, Assert.Throws<InvalidFileException>(() => Load("msrvtt", folder.Path)));
    }

    [Fact]
    public void A_caption_list_of_lsmdc_is_checked_by_column()
    {
        var path = folder.Write("LSMDC16_annos_training.csv", "a\t1\t2\t3\t4\tx\na\t1\t2\t3\tx\n");
        AssertOneLine("line 2 has 5 tab-separated columns instead of 6", Assert.Throws<InvalidFileException>(() => Load("lsmdc", folder.Path)));
        File.WriteAllText(path, "a\t1\t2\t3\t4\t\n");
        AssertOneLine("line 1, column 6 (sentence): empty", Assert.Throws<InvalidFileException>(() => Load("lsmdc", folder.Path)));
    }

    [Fact]
    public void Missing_files_and_folders_are_named()
    {
        AssertOneLine("MSRVTT_train.9k.csv: does not exist", Assert.Throws<InvalidFileException>(() => Load("msrvtt", folder.Path)));
        AssertOneLine("nowhere: is not a folder", Assert.Throws<InvalidFileException>(() => Load("msrvtt", folder.File("nowhere"))));
        AssertOneLine("does not exist", Assert.Throws<InvalidFileException>(() => Load("captions", folder.File("none.csv"))));
        AssertOneLine("is a folder", Assert.Throws<InvalidFileException>(() => Load("captions", folder.Path)));
    }

    [Theory]
    [InlineData("msrvt", "msrvtt")]
    [InlineData("MSVDD", "msvd")]
    [InlineData("moving_shapes", "moving-shapes")]
    [InlineData("activitynet-captions", "activitynet")]
    public void An_unknown_name_suggests_the_nearest(string name, string nearest) =>
        Assert.Contains($"did you mean {nearest}?", Assert.Throws<UsageException>(() => DatasetSource.Find(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void Missing_videos_are_counted_and_named_and_strict_refuses()
    {
        var path = folder.Write("c.csv", "video,caption\na,x\nb,y\n../\u001b[31mc,z\n");

        var dataset = Load("captions", path);

        Assert.Equal("a", Assert.Single(dataset.Samples).Id);
        Assert.Equal("2 of 3 videos missing: b, ../\\x1b[31mc", dataset.MissingSummary);
        AssertOneLine("2 of 3 videos missing", Assert.Throws<InvalidFileException>(() => Load("captions", path, strict: true)));
    }

    [Fact]
    public void No_video_at_all_is_an_error()
    {
        var path = folder.Write("c.csv", "video,caption\n" + string.Concat(Enumerable.Range(0, 20).Select(i => $"b{i},y\n")));
        var message = Assert.Throws<InvalidFileException>(() => Load("captions", path)).Message;
        Assert.Contains("no video of captions (test) found; 20 of 20 videos missing: b0, b1,", message, StringComparison.Ordinal);
        Assert.DoesNotContain("b10", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_split_that_no_record_has_is_an_error()
    {
        var path = folder.Write("c.csv", "video,caption,split\na,x,train\n");
        AssertOneLine("no sample of the split test", Assert.Throws<InvalidFileException>(() => Load("captions", path)));
    }

    private Dataset Load(string name, string annotations, bool strict = false) => DatasetSource.Load(name, new DatasetOptions
    {
        Annotations = annotations,
        Videos = folder.Path,
        Split = name == "captions" ? Split.Test : Split.Train,
        Strict = strict,
    });

    private static void AssertOneLine(string expected, Exception exception)
    {
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }
}
