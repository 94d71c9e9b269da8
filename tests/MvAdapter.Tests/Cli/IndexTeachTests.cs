using System.Text.Json;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>From captions in an index to an adapter and into use, by commands.</summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class IndexTeachTests : IDisposable
{
    private const int Videos = 12;
    private readonly TinyClip clip;
    private readonly TemporaryFolder folder = new();

    public IndexTeachTests(TinyClip clip)
    {
        this.clip = clip;
        Ffmpeg.MakeColors(folder.File("videos"), Videos);
        Run("index", "add", folder.File("videos"), "--clip", clip.Checkpoint, "--frames", "3").Succeeds();
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Captions_go_out_and_come_back()
    {
        Captions("captions.csv", Videos);
        Assert.Contains("12 captions and marks added, 0 were there", Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos")).Succeeds().Output, StringComparison.Ordinal);
        Assert.Contains("0 captions and marks added, 12 were there", Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos")).Succeeds().Output, StringComparison.Ordinal);
        using (var store = ClipStore.Open(folder.File("i.db"), StoreAccess.Write))
            store.Annotations.Add(store.Annotations.All()[0] with { Token = "w", Kind = AnnotationKind.Wrong, Who = "bob" });
        Run("index", "captions", "export", folder.File("all.jsonl"), "--all").Succeeds();
        Run("index", "captions", "export", folder.File("pairs.jsonl")).Succeeds();
        Assert.Equal(Videos, File.ReadAllLines(folder.File("pairs.jsonl")).Length);
        // What train and eval read.
        CommandLine.Run("eval", "--clip", clip.Checkpoint, "--captions", folder.File("pairs.jsonl"), "--frames", "3", "--json").Succeeds();

        // Into another index, whose videos lie elsewhere: found by their content.
        Directory.Move(folder.File("videos"), folder.File("moved"));
        CommandLine.Run("index", "add", folder.File("moved"), "--clip", clip.Checkpoint, "--frames", "3", "--index", folder.File("j.db")).Succeeds();
        CommandLine.Run("index", "captions", "import", folder.File("all.jsonl"), "--index", folder.File("j.db")).Succeeds();
        using var first = ClipStore.Open(folder.File("i.db"));
        using var second = ClipStore.Open(folder.File("j.db"));
        Assert.Equal(first.Annotations.All().Select(one => one with { Path = "" }), second.Annotations.All().Select(one => one with { Path = "" }));
    }

    [Theory]
    [InlineData("{\"video\":\"00.mp4\",\"caption\":\"\"}", "line 2: a caption must not be empty")]
    [InlineData("{\"video\":\"00.mp4\",\"caption\":\"a\\u0007b\"}", "line 2: a caption must not hold control characters")]
    [InlineData("{\"video\":\"00.mp4\"", "line 2: ")]
    [InlineData("{\"video\":\"00.mp4\",\"caption\":\"x\",\"start\":3,\"end\":2}", "line 2: the clip's end is not after its start")]
    public void A_line_that_is_no_caption_is_named_and_nothing_is_taken(string line, string reason)
    {
        File.WriteAllLines(folder.File("c.jsonl"), ["""{"video":"01.mp4","caption":"fine"}""", line]);
        Run("index", "captions", "import", folder.File("c.jsonl"), "--videos", folder.File("videos")).Fails(1, reason);
        using var store = ClipStore.Open(folder.File("i.db"));
        Assert.Empty(store.Annotations.All());
    }

    [Fact]
    public void Videos_that_are_not_in_the_index_are_named()
    {
        File.WriteAllLines(folder.File("c.jsonl"), ["""{"video":"01.mp4","caption":"fine"}""", """{"video":"none.mp4","caption":"lost"}"""]);
        var result = Run("index", "captions", "import", folder.File("c.jsonl"), "--videos", folder.File("videos")).Succeeds(3);
        Assert.Contains("1 captions and marks added", result.Output, StringComparison.Ordinal);
        Assert.Contains("not in the index: none.mp4", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_few_captions_say_how_many_are_needed_and_leave_nothing()
    {
        Captions("captions.csv", 9);
        Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos")).Succeeds();
        var refused = Run("index", "train", "--output", folder.File("run"));
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("captions of 9 clips of 9 videos, and 10 clips of 5 videos are the least", refused.Error, StringComparison.Ordinal);
        Run("index", "use", folder.File("run")).Fails(1, "holds no run of index train");
        Run("index", "use", folder.File("none")).Fails(1, "holds no run of index train");
    }

    [Fact]
    public void An_adapter_is_trained_measured_and_put_to_use_though_killed_on_the_way()
    {
        // Of each query the next video is a wrong answer.
        File.WriteAllLines(folder.File("captions.csv"), ["video,caption,kind", .. Enumerable.Range(0, Videos).SelectMany(i => new[] { $"{i:00}.mp4,a man is {i} talking,", $"{(i + 1) % Videos:00}.mp4,a man is {i} talking,wrong" })]);
        Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos")).Succeeds();
        string[] train = ["index", "train", "--index", folder.File("i.db"), "--output", folder.File("run"), "--precision", "fp32"];
        var random = new Random(3);
        var kills = 0;
        for (var runs = 0; runs < 4; runs++)
        {
            using var process = CommandLine.Start(train);
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEndAsync();
            if (process.WaitForExit(1200 + random.Next(1500))) break;
            process.Kill();
            process.WaitForExit();
            kills++;
            // What people say once it has begun is for the next run.
            if (!File.Exists(folder.File("run/clips.json"))) continue;
            using var store = ClipStore.Open(folder.File("i.db"), StoreAccess.Write);
            store.Annotations.Add(store.Annotations.All()[0] with { Token = $"late-{runs}", Text = $"said later {runs}" });
        }
        Assert.True(kills >= 3);
        CommandLine.Run(train).Succeeds();
        var undisturbed = CommandLine.Run("index", "train", "--index", Index("k.db"), "--output", folder.File("whole"), "--precision", "fp32").Succeeds();
        Assert.Contains("R@1", undisturbed.Output, StringComparison.Ordinal);
        var (report, whole) = (Report("run"), Report("whole"));
        Assert.Equal((Videos, Videos, 5), (report.GetProperty("clips").GetInt32(), report.GetProperty("pairs").GetInt32(), report.GetProperty("parts").GetInt32()));
        Assert.Equal(Ranks(whole), Ranks(report));
        Assert.Contains("12 captions (and wrong answers to them: 12) of", undisturbed.Error, StringComparison.Ordinal);
        // What is measured by is not learnt from, not as a wrong answer either.
        foreach (var part in Enumerable.Range(0, 5))
        {
            var rows = File.ReadLines(folder.File($"whole/part{part}.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).ToLookup(row => row.TryGetProperty("kind", out _), row => row.GetProperty("video").GetString());
            Assert.NotEmpty(rows[true]);
            Assert.Empty(rows[true].Except(rows[false]));
        }

        if (!report.GetProperty("is_better").GetBoolean()) Run("index", "use", folder.File("run")).Fails(1, "not better beyond the interval");
        Assert.Contains("collection 2 (12 clips of 12 videos) has taken the place of 1", Run("index", "use", folder.File("run"), "--force").Succeeds().Output, StringComparison.Ordinal);
        using (var store = ClipStore.Open(folder.File("i.db"))) Assert.Equal([2L], store.Latest().Select(collection => collection.Id));
        Run("search", "x", "-k", "1").Succeeds();   // no need to say which
        Run("index", "use", folder.File("run"), "--force").Fails(2, "is encoded by this adapter already");
        Run("index", "drop", "2").Fails(1, "no other collection has taken the place of 2");
        Run("index", "drop", "1").Succeeds();
        Run("index", "drop", "7").Fails(2, "has no collection 7");
        using var left = ClipStore.Open(folder.File("i.db"));
        Assert.True(left.Annotations.All().Count >= Videos);
    }

    [Fact]
    public void A_full_disk_is_one_line_and_training_goes_on_when_there_is_room()
    {
        using var disk = SmallDisk.Mount(folder.File("disk"), megabytes: 8);
        Captions("captions.csv", Videos);
        Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos")).Succeeds();
        string[] train = ["index", "train", "--index", folder.File("i.db"), "--output", folder.File("disk/run"), "--all"];
        using var process = CommandLine.Start(train);
        Assert.True(SpinWait.SpinUntil(() => File.Exists(folder.File("disk/run/part0/log.jsonl")) || process.HasExited, TimeSpan.FromSeconds(60)));
        disk.Fill();
        var full = CommandLine.Finish(process);
        Assert.Equal(1, full.ExitCode);
        Assert.Contains("No space left", Assert.Single(full.Error.TrimEnd('\n').Split('\n'), line => line.StartsWith("error: ", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected", full.Error, StringComparison.Ordinal);
        disk.Free();
        Assert.Contains("has learnt from all captions", CommandLine.Run(train).Succeeds().Output, StringComparison.Ordinal);
        CommandLine.Run([.. train[..^1]]).Fails(2, "was begun with --method mv-adapter --all");
        Run("index", "use", folder.File("disk/run")).Fails(1, "the adapter was not measured");
    }

    // An index of the same videos and captions.
    private string Index(string name)
    {
        var path = folder.File(name);
        CommandLine.Run("index", "add", folder.File("videos"), "--clip", clip.Checkpoint, "--frames", "3", "--index", path).Succeeds();
        CommandLine.Run("index", "captions", "import", folder.File("captions.csv"), "--videos", folder.File("videos"), "--index", path).Succeeds();
        return path;
    }

    private JsonElement Report(string run) => JsonDocument.Parse(File.ReadAllText(folder.File($"{run}/report.json"))).RootElement;

    private static List<string> Ranks(JsonElement report) =>
        [.. report.GetProperty("queries").EnumerateArray().Select(query => $"{query.GetProperty("caption")} {query.GetProperty("before")} {query.GetProperty("after")}").Order(StringComparer.Ordinal)];

    private void Captions(string file, int count) => File.WriteAllLines(folder.File(file),
        ["video,caption", .. Enumerable.Range(0, count).Select(i => $"{i:00}.mp4,a {(i % 2 == 0 ? "man" : "woman")} is {i} {(i % 3 == 0 ? "riding" : "talking")}")]);

    private CommandResult Run(params string[] arguments) => CommandLine.Run([.. arguments, "--index", folder.File("i.db")]);
}
