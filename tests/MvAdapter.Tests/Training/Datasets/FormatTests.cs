using MvAdapter.Datasets;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Datasets;

public sealed class FormatTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    private Dataset Load(string name, Split split, string annotations = "") => DatasetSource.Load(name, new DatasetOptions
    {
        Annotations = Path.Combine(folder.Path, annotations),
        Videos = folder.Path,
        Split = split,
    });

    private void Videos(params string[] names)
    {
        foreach (var name in names) folder.Write(name, "");
    }

    [Theory]
    [InlineData("msrvtt", "9k")]
    [InlineData("msrvtt-9k", "9k")]
    [InlineData("msrvtt-7k", "7k")]
    public void MsrVtt_trains_on_every_caption_of_the_listed_videos(string name, string list)
    {
        folder.Write($"MSRVTT_train.{list}.csv", "video_id\nvideo0\nvideo2\n");
        folder.Write("MSRVTT_data.json", """
            {"info": {"year": "2016"},
             "videos": [{"category": 9, "url": "u", "video_id": "video0", "start time": 1.0, "end time": 2.0, "split": "train", "id": 0}],
             "sentences": [{"caption": "a woman sings", "video_id": "video0", "sen_id": 0},
                           {"caption": "a dog runs", "video_id": "video1", "sen_id": 1},
                           {"caption": "a man drives", "video_id": "video2", "sen_id": 2},
                           {"caption": "a singer on stage ", "video_id": "video0", "sen_id": 3}]}
            """);
        Videos("videos/video0.mp4", "videos/video1.mp4", "videos/video2.avi");

        var dataset = Load(name, Split.Train);

        Assert.Equal(["video0", "video2"], dataset.Samples.Select(sample => sample.Id));
        Assert.Equal(["a woman sings", "a singer on stage", "a man drives"], dataset.Pairs.Select(pair => pair.Caption));
        Assert.Null(dataset.MissingSummary);
    }

    [Fact]
    public void MsrVtt_tests_on_the_pairs_of_1k_A()
    {
        folder.Write("MSRVTT_JSFUSION_test.csv", "key,vid_key,video_id,sentence\nret0,msr1,video1,\"a man, a dog\"\nret1,msr2,video2,a cat\n");
        Videos("a/video2.webm", "b/c/video1.MP4");

        var dataset = Load("msrvtt", Split.Test);

        Assert.Equal(["video1: a man, a dog", "video2: a cat"], dataset.Samples.Select(s => $"{s.Id}: {Assert.Single(s.Captions)}"));
        Assert.EndsWith("video1.MP4", dataset.Samples[0].VideoPath, StringComparison.Ordinal);
        Assert.All(dataset.Samples, sample => Assert.Equal((null, null, Split.Test), (sample.Start, sample.End, sample.Split)));
    }

    [Fact]
    public void Msvd_keeps_all_captions_of_a_test_video()
    {
        folder.Write("test_list.txt", "mv89psg6zh4_33_46\nabc_1_2\n");
        var annotations = Msvd.Read(new DatasetOptions { Annotations = folder.Path, Split = Split.Test }, path =>
        {
            Assert.Equal(folder.File("raw-captions.pkl"), path);
            return new Dictionary<string, IReadOnlyList<string>> { ["mv89psg6zh4_33_46"] = ["a bird", "a parrot bathes"], ["abc_1_2"] = ["x"], ["other"] = ["y"] };
        }).ToList();

        Assert.Equal(["mv89psg6zh4_33_46", "abc_1_2"], annotations.Select(a => a.Id));
        Assert.Equal(["a bird", "a parrot bathes"], annotations[0].Captions);
    }

    [Fact]
    public void Msvd_joins_the_words_of_the_pickled_captions()
    {
        var captions = MsvdCaptions.FromPickle("f.pkl", new Dictionary<object, object?>
        {
            ["v"] = new List<object?> { new List<object?> { "a", "bird" }, new object?[] { "it", "sings" } },
        });
        Assert.Equal(["a bird", "it sings"], captions["v"]);
    }

    [Fact]
    public void Msvd_refuses_a_pickle_of_another_kind()
    {
        Assert.Contains("dictionary", Error(() => MsvdCaptions.FromPickle("f.pkl", new List<object?>())), StringComparison.Ordinal);
        Assert.Contains("'v'", Error(() => MsvdCaptions.FromPickle("f.pkl", new Dictionary<object, object?> { ["v"] = "a bird" })), StringComparison.Ordinal);
        Assert.Contains("caption 1: a word", Error(() => MsvdCaptions.FromPickle("f.pkl",
            new Dictionary<object, object?> { ["v"] = new List<object?> { new List<object?> { 3L } } })), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Split.Train, "LSMDC16_annos_training.csv")]
    [InlineData(Split.Val, "LSMDC16_annos_val.csv")]
    [InlineData(Split.Test, "LSMDC16_challenge_1000_publictect.csv")]
    public void Lsmdc_looks_in_the_film_s_folder_first(Split split, string file)
    {
        const string clip = "0001_American_Beauty_00.00.51.926-00.00.54.129";
        folder.Write(file, $"{clip}\t00:00:51\t00:00:54\t00:00:51\t00:00:54\tSomeone says \"no\", and leaves.\n");
        Videos($"0000_other/{clip}.avi", $"0001_American_Beauty/{clip}.avi");

        var sample = Assert.Single(Load("lsmdc", split).Samples);

        Assert.Equal("Someone says \"no\", and leaves.", Assert.Single(sample.Captions));
        Assert.Equal(Path.Combine(folder.Path, "0001_American_Beauty", $"{clip}.avi"), sample.VideoPath);
    }

    [Fact]
    public void DiDeMo_joins_the_descriptions_and_shows_the_first_31_seconds()
    {
        folder.Write("val_data.json", """
            [{"num_segments": 6, "description": "a dog runs.", "times": [[0, 1]], "video": "12@N01_1.mov", "annotation_id": 1},
             {"num_segments": 6, "description": "a hand waves.", "times": [[0, 1]], "video": "12@N02_2.", "annotation_id": 2},
             {"num_segments": 6, "description": "unlisted.", "times": [[0, 1]], "video": "12@N03_3.avi", "annotation_id": 3},
             {"num_segments": 6, "description": "it stops.", "times": [[2, 3]], "video": "12@N01_1.mov", "annotation_id": 4}]
            """);
        folder.Write("val_list.txt", "12@N01_1.mov\n12@N02_2.\n");
        Videos("v/12@N01_1.mp4", "v/12@N02_2.mp4", "v/12@N03_3.mp4");

        var dataset = Load("didemo", Split.Val);

        Assert.Equal(["a dog runs. it stops.", "a hand waves."], dataset.Samples.Select(sample => Assert.Single(sample.Captions)));
        Assert.All(dataset.Samples, sample => Assert.Equal((0.0, 31.0), (sample.Start!.Value, sample.End!.Value)));
    }

    [Fact]
    public void ActivityNet_joins_the_sentences_and_knows_videos_with_and_without_the_prefix()
    {
        folder.Write("val_1.json", """
            {"v_abc": {"duration": 82.7, "timestamps": [[0.8, 19.9], [17.4, 60.8]], "sentences": ["A man sits. ", " He stands."]},
             "v_def": {"duration": 2.0, "timestamps": [[0, 1]], "sentences": ["A ball."]},
             "v_ghi": {"duration": 2.0, "timestamps": [[0, 1]], "sentences": ["Not in the list."]}}
            """);
        folder.Write("val_ids.json", """["v_abc", "v_def", "v_without_captions"]""");
        Videos("v_abc.mkv", "nested/def.mp4");

        var dataset = Load("activitynet", Split.Test);

        Assert.Equal(["A man sits. He stands.", "A ball."], dataset.Samples.Select(sample => Assert.Single(sample.Captions)));
        Assert.All(dataset.Samples, sample => Assert.Null(sample.End));
    }

    [Theory]
    [InlineData("c.jsonl", """
        {"video": "a.mp4", "caption": "one", "start": 1, "end": 2.5, "split": "test"}
        {"video": "a.mp4", "caption": "two", "start": 1, "end": 2.5, "split": "test", "note": [1]}
        {"video": "b", "caption": "all of it"}
        {"video": "c", "caption": "to learn", "split": "train"}
        """)]
    [InlineData("c.csv", """
        video,caption,start,end,split
        a.mp4,one,1,2.5,test
        a.mp4,two,1,2.5,test
        b,"all of it",,,
        c,to learn,,,train
        """)]
    [InlineData("c.tsv", "caption\tvideo\tsplit\tend\tstart\none\ta.mp4\ttest\t2.5\t1\ntwo\ta.mp4\ttest\t2.5\t1\nall of it\tb\t\t\t\nto learn\tc\ttrain\t\t\n")]
    public void Captions_of_any_kind(string file, string text)
    {
        folder.Write(file, text);
        Videos("a.mp4", "x/b.mov", "c.mov");

        var dataset = Load("captions", Split.Test, file);

        Assert.Equal(["one|two", "all of it"], dataset.Samples.Select(sample => string.Join('|', sample.Captions)));
        Assert.Equal(("a.mp4#1-2.5", 1.0, 2.5), (dataset.Samples[0].Id, dataset.Samples[0].Start!.Value, dataset.Samples[0].End!.Value));
        Assert.Equal(("b", null, null), (dataset.Samples[1].Id, dataset.Samples[1].Start, dataset.Samples[1].End));
    }

    [Fact]
    public void Captions_name_pairs_of_reversals()
    {
        folder.Write("c.jsonl", """
            {"video": "gone", "caption": "0"}
            {"video": "b", "caption": "1", "reversal_of": "a"}
            {"video": "a", "caption": "2"}
            {"video": "c", "caption": "3", "reversal_of": "gone"}
            """);
        Videos("a.mp4", "b.mp4", "c.mp4");

        Assert.Equal([new ReversalPair(Video: 1, Reversed: 0)], Load("captions", Split.Test, "c.jsonl").ReversalPairs);
    }

    [Theory]
    [InlineData("c.jsonl", """
        {"video": "a", "caption": "a dog"}
        {"video": "b", "caption": "a cat", "kind": "right"}
        {"video": "b", "caption": "a dog", "kind": "wrong", "start": 1, "end": 2}
        {"video": "a", "caption": "a cat", "kind": "wrong"}
        {"video": "gone", "caption": "a cat", "kind": "wrong"}
        {"video": "b", "caption": "a cow", "kind": "wrong", "split": "val"}
        """)]
    [InlineData("c.csv", "video,caption,kind,start,end,split\na,a dog,,,,\nb,a cat,right,,,\nb,a dog,wrong,1,2,\na,a cat,wrong,,,\ngone,a cat,wrong,,,\nb,a cow,wrong,,,val\n")]
    public void What_is_a_wrong_answer_is_no_caption(string file, string text)
    {
        folder.Write(file, text);
        Videos("a.mp4", "b.mp4");

        var dataset = Load("captions", Split.Train, file);

        Assert.Equal(["a: a dog", "b: a cat"], dataset.Samples.Select(sample => $"{sample.Id}: {string.Join('|', sample.Captions)}"));
        Assert.Equal([("a.mp4", null, "a cat"), ("b.mp4", 1.0, "a dog")],
            dataset.WrongAnswers.Select(wrong => (Path.GetFileName(wrong.Clip.Path), wrong.Clip.Start, wrong.Query)).Order());
        Assert.Empty(dataset.Missing);
        Assert.Contains("has no sample of the split val", Error(() => Load("captions", Split.Val, file)), StringComparison.Ordinal);
    }

    private static string Error(Action action) => Assert.Throws<InvalidFileException>(action).Message;
}
