using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary><c>index</c> and <c>search</c> from outside, with a model and videos of the test's own.</summary>
[Collection("Command line")]
public sealed class IndexCommandTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Index => folder.File("index.db");

    private string Videos => folder.File("videos");

    public void Dispose() => folder.Dispose();

    private void Execute(string sql)
    {
        using var database = SqliteDatabase.Open(Index, StoreAccess.Write);
        database.Execute(sql);
    }

    [Fact]
    public void What_changed_is_encoded_and_the_rest_is_left_alone()
    {
        var (red, blue, green) = (Video("red.mp4", "color=red"), Video("sub/blue.mp4", "color=blue"), Video("green.mp4", "color=green"));
        File.SetLastWriteTimeUtc(blue, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Equal("3 added 0 changed 0 moved 0 unchanged 6 clips", Add("--clip", clip.Checkpoint, "--clip-seconds", "2"));
        Assert.Equal("0 added 0 changed 0 moved 3 unchanged 0 clips", Add());

        File.SetLastWriteTimeUtc(red, DateTime.UtcNow.AddMinutes(1));           // touched: the content is the same
        File.Move(blue, Path.Combine(Videos, "moved.mp4"));                    // moved
        File.Delete(green);
        Video("green.mp4", "testsrc2", seconds: 6);                            // changed
        Video("new.mp4", "smptebars");
        Assert.Equal("1 added 1 changed 1 moved 1 unchanged 5 clips", Add());
        Assert.Equal("0 added 0 changed 0 moved 4 unchanged 0 clips", Add("--tag", "colours"));
        Assert.Equal("0 added 4 changed 0 moved 0 unchanged 4 clips", Add("--clip-seconds", "0"));

        File.Delete(red);
        Assert.Contains("the file is gone", Run("verify").Succeeds(3).Error, StringComparison.Ordinal);
        Assert.Contains("1 of 4 videos", Run("prune").Succeeds().Output, StringComparison.Ordinal);
        Assert.Contains("3 videos, 3 clips, no fault", Run("verify").Succeeds().Output, StringComparison.Ordinal);
        Assert.Equal(3, Search("a man", "--tag", "colours").Count);
        Assert.EndsWith("moved.mp4", Assert.Single(Search("a man", "--before", "2020-01-02")).File, StringComparison.Ordinal);
        Assert.Empty(Search("a man", "--max-seconds", "1"));
    }

    [Fact]
    public void A_backup_is_an_index_of_one_moment()
    {
        var red = Video("red.mp4", "color=red");
        Video("blue.mp4", "color=blue");
        Add("--clip", clip.Checkpoint);
        using (var store = ClipStore.Open(Index, StoreAccess.Write))
        {
            var video = store.Videos(store.Collections()[0]).First(one => one.Entry.Path == red);
            store.Annotations.Add(new ClipAnnotation("t", AnnotationKind.Caption, video.Entry.Hash, red, new ClipSpan(0, 1), "a red thing"));
            Assert.Contains("2 clips, 1 captions and marks", Backup(folder.File("copy.db")).Succeeds().Output, StringComparison.Ordinal);
            store.RemoveVideo(store.Collections()[0], red);
        }
        Backup(folder.File("copy.db")).Fails(2, "is there already");
        Backup(Videos).Fails(2, "is a folder");
        Backup("/proc/copy.db").Fails(1, "/proc/copy.db: cannot be written");
        // The file is lost, and the copy takes its place; it is filled as before.
        var found = Search("a man").Count;
        foreach (var file in Directory.GetFiles(folder.Path, "index.db*")) File.Delete(file);
        File.Copy(folder.File("copy.db"), Index);
        Assert.Equal((1, 2), (found, Search("a man").Count));
        Assert.Contains("2 videos, 2 clips, no fault", Run("verify").Succeeds().Output, StringComparison.Ordinal);
        Assert.Equal("0 added 0 changed 0 moved 2 unchanged 0 clips", Add());
        Assert.Empty(Directory.GetFiles(folder.Path, "*.part"));

        CommandResult Backup(string path) => CommandLine.Run("index", "backup", path, "--index", Index);
    }

    [Fact]
    public void An_approximate_index_is_built_where_it_is_asked_for_and_answers_say_so()
    {
        foreach (var color in new[] { "red", "blue", "green" }) Video($"{color}.mp4", $"color={color}");
        Add("--clip", clip.Checkpoint, "--clip-seconds", "2");
        Assert.Contains("collection 1: nothing to do", Run("build").Succeeds().Output, StringComparison.Ordinal);
        var exact = Search("a man", "--all-clips");
        Assert.Contains("collection 1: 6 clips taken in", CommandLine.Run("index", "build", "--least", "1", "--index", Index).Succeeds().Output, StringComparison.Ordinal);
        Assert.Equal(exact, Search("a man", "--all-clips"));
        Assert.Equal(exact, Search("a man", "--all-clips", "--exact"));
        Assert.Contains("found by the approximate index", CommandLine.Run("search", "a man", "--index", Index).Succeeds().Error, StringComparison.Ordinal);
        Assert.DoesNotContain("approximate", CommandLine.Run("search", "a man", "--exact", "--index", Index).Succeeds().Error, StringComparison.Ordinal);
        CommandLine.Run("index", "build", "--threads", "0", "--index", Index).Fails(2, "--threads must be at least 1");
        CommandLine.Run("index", "build", "--collection", "7", "--index", Index).Fails(2, "7");
        Run("verify").Succeeds();
    }

    [Fact]
    public void A_cut_that_was_asked_for_stays_until_another_is()
    {
        Video("long.mp4", "testsrc2", seconds: 6);
        Assert.Equal("1 added 0 changed 0 moved 0 unchanged 2 clips", Add("--clip", clip.Checkpoint, "--clip-seconds", "3"));
        Assert.Equal("0 added 1 changed 0 moved 0 unchanged 1 clips", Add("--clip-seconds", "0"));
        Assert.Equal("0 added 0 changed 0 moved 1 unchanged 0 clips", Add());
        // What is not said stays: three seconds, as the collection began.
        Assert.Equal("0 added 1 changed 0 moved 0 unchanged 3 clips", Add("--overlap", "1"));
    }

    [Fact]
    public void An_index_made_before_rules_had_names_goes_on_by_time_and_mixes_nothing()
    {
        Video("first.mp4", "testsrc2=rate=30000/1001", seconds: 6);
        Add("--clip", clip.Checkpoint, "--clip-seconds", "0", "--frame-rule", "time");
        var byTime = Search("--video", Path.Combine(Videos, "first.mp4"))[0].Score;
        Execute("UPDATE collections SET sampling = replace(sampling, ' rule=time', '')");
        Assert.Equal("0 added 0 changed 0 moved 1 unchanged 0 clips", Add());
        Assert.Equal(byTime, Search("--video", Path.Combine(Videos, "first.mp4"))[0].Score, 6);
        CommandLine.Run("index", "add", Videos, "--index", Index, "--clip", clip.Checkpoint)
            .Fails(2, "the collection was encoded with \"uniform max_frames=12 fps=1 rule=time\", not \"uniform max_frames=12 fps=1 rule=published\"");
    }

    [Fact]
    public void One_bit_of_a_vector_that_flips_is_found()
    {
        Video("red.mp4", "color=red");
        Add("--clip", clip.Checkpoint);
        Assert.Contains("no fault", Run("verify").Succeeds().Output, StringComparison.Ordinal);
        // The last bits of the first number's mantissa: the vector's length stays what it was.
        Execute("UPDATE clips SET vector = CAST(x'A5' || substr(vector, 2) AS BLOB)");
        Run("verify").Fails(1, "its checksum is wrong");
    }

    [Fact]
    public void A_link_to_nothing_is_a_file_that_is_gone()
    {
        Video("red.mp4", "color=red");
        var target = Video("../elsewhere.mp4", "testsrc");
        File.CreateSymbolicLink(Path.Combine(Videos, "link.mp4"), target);
        Add("--clip", clip.Checkpoint);
        File.Delete(target);
        Assert.Contains("link.mp4", Run("verify").Succeeds(3).Error, StringComparison.Ordinal);
        File.CreateSymbolicLink(target, Path.Combine(Videos, "link.mp4"));   // a circle
        Assert.Contains("the file is gone", Run("verify").Succeeds(3).Error, StringComparison.Ordinal);
        Assert.Contains("1 of 2 videos", Run("prune").Succeeds().Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("one of the two", "x", "--video", "v.mp4")]
    [InlineData("0 seconds or more", "x", "--min-seconds", "NaN")]
    [InlineData("0 seconds or more", "x", "--max-seconds", "-1")]
    [InlineData("--captions finds none", "--video", "v.mp4", "--captions", "c.txt", "--cut", "out")]
    public void A_search_that_makes_no_sense_is_one_line(string reason, params string[] arguments) =>
        CommandLine.Run(["search", .. arguments, "--index", Index]).Fails(2, reason);

    [Fact]
    public void A_bad_file_is_named_and_the_good_ones_are_kept()
    {
        Video("good.mp4", "testsrc");
        var whole = File.ReadAllBytes(Video("cut.mp4", "testsrc2"));
        File.WriteAllBytes(Path.Combine(Videos, "cut.mp4"), whole[..(whole.Length / 2)]);
        folder.Write("videos/text.mp4", "no video at all");
        folder.Write("videos/empty.mp4", "");
        string[] add = ["index", "add", Videos, "--index", Index];
        var result = CommandLine.Run([.. add, "--clip", clip.Checkpoint]).Succeeds(3);
        Assert.Equal(["cut.mp4", "empty.mp4", "text.mp4"], Skipped(result));
        Assert.EndsWith("good.mp4", Assert.Single(Search("a man")).File, StringComparison.Ordinal);
        Assert.Contains("1 videos, 1 clips", Run("info").Succeeds().Output, StringComparison.Ordinal);

        // Nothing is tried again, and nothing is forgotten.
        result = CommandLine.Run(add).Succeeds(3);
        Assert.Contains("4 unchanged", result.Output, StringComparison.Ordinal);
        Assert.Equal(["cut.mp4", "empty.mp4", "text.mp4"], Skipped(result));
        Video("cut.mp4", "testsrc2");
        Assert.Contains("1 changed, 0 moved, 3 unchanged", CommandLine.Run(add).Succeeds(3).Output, StringComparison.Ordinal);
        Assert.Contains("no fault", Run("verify").Succeeds().Output, StringComparison.Ordinal);

        static IEnumerable<string> Skipped(CommandResult result) => result.Error.TrimEnd('\n').Split('\n')
            .Select(line => Path.GetFileName(line[..line.IndexOf(".mp4", StringComparison.Ordinal)]) + ".mp4").Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Hostile_names_are_found_cut_and_pictured()
    {
        string[] names = ["it's \"quoted\".mp4", "two\nlines.mp4", "'; DROP TABLE videos; --.mp4", "-y.mp4", "%d.mp4", "猫 😀.mp4"];
        foreach (var (i, name) in names.Index()) Video(name, $"testsrc2=size=5{2 * (i % 5)}x48");
        Assert.Equal("6 added 0 changed 0 moved 0 unchanged 6 clips", Add("--clip", clip.Checkpoint, "--tag", "'; --"));
        var found = Search("a man", "--cut", folder.File("cut"), "--thumbnails", folder.File("cut"), "--tag", "'; --", "--folder", Videos);
        Assert.Equal(names.Order(StringComparer.Ordinal), found.Select(match => Path.GetFileName(match.File)).Order(StringComparer.Ordinal));
        var written = Directory.GetFiles(folder.File("cut"));
        Assert.Equal(12, written.Length);
        Assert.All(written, file => Assert.True(new FileInfo(file).Length > 300));
        var table = CommandLine.Run("search", "a man", "--index", Index).Succeeds().Output.TrimEnd('\n').Split('\n');
        Assert.Equal(6, table.Length);
        Assert.Contains(table, line => line.EndsWith("two\\x0alines.mp4", StringComparison.Ordinal) && line.Contains("  00:00-00:03  ", StringComparison.Ordinal));
    }

    [Fact]
    public void A_video_finds_itself_and_its_captions()
    {
        var red = Video("red.mp4", "color=red");
        Video("test.mp4", "testsrc");
        Add("--clip", clip.Checkpoint);
        var first = Search("--video", red)[0];
        Assert.Equal(red, first.File);
        Assert.Equal(1, first.Score, 4);
        var captions = folder.Write("captions.txt", "a man\na dog\na woman is talking\n");
        using var ranked = JsonDocument.Parse(CommandLine.Run("search", "--video", red, "--captions", captions, "--index", Index, "--json", "-k", "2").Succeeds().Output);
        Assert.Equal(2, ranked.RootElement.GetArrayLength());
        Assert.True(ranked.RootElement[0].GetProperty("score").GetDouble() >= ranked.RootElement[1].GetProperty("score").GetDouble());
    }

    [Fact]
    public void Another_model_has_a_collection_of_its_own()
    {
        Video("red.mp4", "color=red");
        var adapter = folder.File("adapter.safetensors");
        TinyClip.WriteAdapter(adapter, clip.Config);
        Add("--clip", clip.Checkpoint);
        CommandLine.Run("search", "a man", "--index", Index, "--clip", clip.Checkpoint, "--adapter", adapter).Fails(1, "has no clips of the model");
        Add("--clip", clip.Checkpoint, "--adapter", adapter);
        CommandLine.Run("search", "a man", "--index", Index).Fails(2, "several collections");
        CommandLine.Run("search", "a man", "--index", Index, "--collection", "3").Fails(2, "no collection 3");
        CommandLine.Run("search", "a man", "--index", Index, "--adapter", adapter).Fails(2, "--adapter belongs to a model");
        Assert.Single(Search("a man", "--collection", "2"));
        Assert.Contains(adapter, Run("collections").Succeeds().Output, StringComparison.Ordinal);

        // The model's file is another one now: its vectors would not fit the index any more.
        using (var other = ClipModel.CreateRandom(clip.Config, 2))
        using (var model = RetrievalModel.Create(other, new MvAdapterMethod(clip.Config, TinyClip.AdapterSettings)))
            AdapterCheckpoint.Save(adapter, model);
        var result = CommandLine.Run("search", "a man", "--index", Index, "--collection", "2");
        Assert.Equal(1, result.ExitCode);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void Without_a_name_the_index_lies_in_the_data_folder()
    {
        Video("red.mp4", "color=red");
        var home = ("XDG_DATA_HOME", folder.File("data"));
        Directory.CreateDirectory(folder.File("data"));
        CommandLine.RunWith([home], "search", "a man").Fails(1, "there is no such index");
        CommandLine.RunWith([home], "index", "add", Videos).Fails(2, "name one by --clip");
        CommandLine.RunWith([home], "index", "add", Videos, "--clip", clip.Checkpoint).Succeeds();
        Assert.Contains("red.mp4", CommandLine.RunWith([home], "search", "a man").Succeeds().Output, StringComparison.Ordinal);
        Assert.True(File.Exists(folder.File("data/mvadapter/videos.mvindex.db")));
    }

    [Theory]
    [InlineData("say what to look for", "search")]
    [InlineData("say what to look for", "search", "words", "--video", "x.mp4")]
    [InlineData("are empty", "search", " ")]
    [InlineData("--count must be", "search", "words", "-k", "0")]
    [InlineData("is no date", "search", "words", "--after", "yesterday")]
    [InlineData("cannot overlap", "index", "add", "/", "--overlap", "10")]
    [InlineData("at least 0.5 s", "index", "add", "/", "--clip-seconds", "-3")]
    [InlineData("did you mean --tag? (see ./run index add --help)", "index", "add", "/", "--tags")]
    public void A_wrong_call_is_one_line(string reason, params string[] arguments) => CommandLine.Run(arguments).Fails(2, reason);

    private string Video(string name, string source, int seconds = 3)
    {
        var path = Path.Combine(Videos, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var size = source.Contains("size=", StringComparison.Ordinal) ? "" : $"{(source.Contains('=', StringComparison.Ordinal) ? ":" : "=")}size=48x48";
        return Ffmpeg.Make(path, $"{source}{size}:r=4", "-t", $"{seconds}", "-pix_fmt", "yuv420p");
    }

    private CommandResult Run(string command) => CommandLine.Run("index", command, "--index", Index);

    private string Add(params string[] options)
    {
        using var json = JsonDocument.Parse(CommandLine.Run(["index", "add", Videos, "--index", Index, "--json", .. options]).Succeeds().Output);
        int Number(string name) => json.RootElement.GetProperty(name).GetInt32();
        return $"{Number("added")} added {Number("changed")} changed {Number("moved")} moved {Number("unchanged")} unchanged {Number("clips")} clips";
    }

    private List<(string File, double Score)> Search(params string[] arguments)
    {
        using var json = JsonDocument.Parse(CommandLine.Run(["search", .. arguments, "--index", Index, "--json"]).Succeeds().Output);
        return [.. json.RootElement.EnumerateArray().Select(match => (match.GetProperty("path").GetString()!, match.GetProperty("score").GetDouble()))];
    }
}
