using System.Globalization;
using System.Text.Json;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Evaluation;

public sealed class ResultsFileTests
{
    private static RetrievalReport Report(string method, long seed, double r1 = 40.5) => new()
    {
        Method = method,
        Seed = seed,
        TextToVideo = new RetrievalMetrics(r1, 70.25, 80.125, 2, 13.4),
        VideoToText = new RetrievalMetrics(41, 71, 81, 1.5, 10.1),
        TrainableParameters = 3_496_704,
        StorageBytes = 13_986_816,
        TrainSeconds = 12.5,
        PeakMemoryBytes = 8_000_000_000,
        Videos = 1000,
        Captions = 1000,
    };

    [Fact]
    public void Results_round_trip()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("deep/results.json");
        RetrievalReport[] reports =
        [
            Report("mv-adapter", 1) with { OrderAccuracy = 75.5 },
            Report("Größe \"zero\"\n", -3) with { MissingVideos = 1 },
        ];
        ResultsFile.Write(path, reports);
        Assert.Equal(reports, ResultsFile.Read(path));
        Assert.Equal([path], Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Names_are_snake_case_and_absent_figures_are_absent()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        ResultsFile.Write(path, [Report("a", 1), Report("a", 2) with { OrderAccuracy = 50, MissingVideoNames = ["video7"], MissingVideos = 1 }]);
        using var json = JsonDocument.Parse(File.ReadAllText(path));
        string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(property => property.Name)];
        Assert.Equal(
            ["method", "seed", "text_to_video", "video_to_text", "trainable_parameters", "storage_bytes", "train_seconds",
                "peak_memory_bytes", "videos", "captions", "missing_videos"],
            Names(json.RootElement[0]));
        Assert.Equal(["r1", "r5", "r10", "median_rank", "mean_rank"], Names(json.RootElement[0].GetProperty("text_to_video")));
        Assert.Equal(50, json.RootElement[1].GetProperty("order_accuracy").GetDouble());
        Assert.Equal("video7", json.RootElement[1].GetProperty("missing_video_names")[0].GetString());
    }

    [Fact]
    public void Merging_replaces_the_same_method_and_seed_in_place()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        ResultsFile.Merge(path, [Report("a", 1), Report("b", 1)]);
        ResultsFile.Merge(path, [Report("b", 2), Report("a", 1, r1: 99)]);
        Assert.Equal([Report("a", 1, r1: 99), Report("b", 1), Report("b", 2)], ResultsFile.Read(path));
    }

    [Fact]
    public void Fields_of_another_version_survive_a_merge()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("results.json");
        ResultsFile.Write(path, [Report("a", 1)]);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"method\"", "\"dataset\": \"MSVD\", \"method\"", StringComparison.Ordinal));
        ResultsFile.Merge(path, [Report("b", 1)]);
        Assert.Contains("\"dataset\": \"MSVD\"", File.ReadAllText(path), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[null]")]
    [InlineData("{}")]
    [InlineData("[{\"method\":\"a\"}]")]
    [InlineData("[{\"method\":null,\"seed\":1,\"text_to_video\":{\"r1\":1,\"r5\":1,\"r10\":1,\"median_rank\":1,\"mean_rank\":1},\"video_to_text\":{\"r1\":1,\"r5\":1,\"r10\":1,\"median_rank\":1,\"mean_rank\":1},\"trainable_parameters\":1,\"storage_bytes\":1,\"train_seconds\":1,\"peak_memory_bytes\":1,\"videos\":1,\"captions\":1}]")]
    [InlineData("[{\"method\":\"a\",\"seed\":1,\"text_to_video\":{\"r1\":1},\"video_to_text\":null,\"trainable_parameters\":1,\"storage_bytes\":1,\"train_seconds\":1,\"peak_memory_bytes\":1,\"videos\":1,\"captions\":1}]")]
    public void What_is_no_results_file_is_named_in_one_line(string text)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("results.json", text);
        var error = Assert.Throws<InvalidFileException>(() => ResultsFile.Read(path));
        Assert.Contains("results.json", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void An_unusable_path_is_named()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidFileException>(() => ResultsFile.Read(folder.File("absent.json")));
        Assert.Throws<InvalidFileException>(() => ResultsFile.Write(folder.Path, []));
        Assert.Throws<InvalidFileException>(() => RankedQuery.WriteCsv(folder.Path, []));
    }

    [Fact]
    public void Every_query_is_a_line_with_its_top_five()
    {
        var similarity = new SimilarityMatrix(3, 6, [.1f, .2f, .3f, .4f, .5f, .6f, .9f, 0, 0, 0, 0, 0, 0, .25f, .5f, 0, 0, 0]);
        var queries = RankedQuery.From(
            similarity, ["a \"dog\", runs", "a cat", "fire\nwater"], ["v0", "v1", "v2", "v3", "v4", "v5"], [0, 0, 1]);
        Assert.Equal(["v0#0", "v0#1", "v1#0"], queries.Select(query => query.Id));
        Assert.Equal([6, 1, 2], queries.Select(query => query.Rank));
        Assert.Equal(["a \"dog\", runs", "fire\nwater"], RankedQuery.Worst(queries, 2).Select(query => query.Caption));

        using var folder = new TemporaryFolder();
        var path = folder.File("ranks.csv");
        InCommaCulture(() => RankedQuery.WriteCsv(path, queries));
        var text = File.ReadAllText(path).ReplaceLineEndings("\n");
        Assert.StartsWith(
            "query,caption,video,rank,top1,score1,top2,score2,top3,score3,top4,score4,top5,score5\n" +
            "v0#0,\"a \"\"dog\"\", runs\",v0,6,v5,0.6,v4,0.5,v3,0.4,v2,0.3,v1,0.2\n", text, StringComparison.Ordinal);
        Assert.EndsWith("v1#0,\"fire\nwater\",v1,2,v2,0.5,v1,0.25,v0,0,v3,0,v4,0\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_test_of_few_videos_leaves_columns_empty()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("ranks.csv");
        RankedQuery.WriteCsv(path, RankedQuery.From(new SimilarityMatrix(1, 1, [1]), ["x"], ["v"]));
        Assert.Equal("v#0,x,v,1,v,1,,,,,,,,", File.ReadAllLines(path)[1]);
    }

    [Fact]
    public void The_machines_language_changes_no_number()
    {
        InCommaCulture(() =>
        {
            Assert.Equal("1.50 MB", Units.Bytes(1_500_000));
            Assert.Equal("3,496,704", Units.Count(3_496_704));
            Assert.Equal("2.5M", Units.Short(2.5e6));
            Assert.Equal("1.5 s", Units.Duration(1.5));
        });
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.00 kB")]
    [InlineData(999_999, "1.00 MB")]
    [InlineData(13_986_816, "14.0 MB")]
    [InlineData(598_482_948, "598 MB")]
    [InlineData(9.3e18, "9.30 EB")]
    public void Bytes_have_three_digits(double bytes, string text) => Assert.Equal(text, Units.Bytes(bytes));

    [Theory]
    [InlineData(0, "0.0 s")]
    [InlineData(59.96, "1 min 00 s")]
    [InlineData(3599.6, "1 h 00 min")]
    [InlineData(3900, "1 h 05 min")]
    [InlineData(200_000, "2 d 07 h")]
    public void Durations_have_two_units(double seconds, string text) => Assert.Equal(text, Units.Duration(seconds));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.25, "0.25")]
    [InlineData(-0.00025, "-2.5e-4")]
    [InlineData(5e-6, "5e-6")]
    [InlineData(9999, "9999")]
    [InlineData(10_000, "10k")]
    [InlineData(149_620_737, "149.62M")]
    public void Ticks_are_short(double value, string text) => Assert.Equal(text, Units.Short(value));

    /// <summary>A culture that writes 1,5 and 1.000, made by hand since the tests run without culture data.</summary>
    private static void InCommaCulture(Action action)
    {
        var before = CultureInfo.CurrentCulture;
        var comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (comma.NumberFormat.NumberDecimalSeparator, comma.NumberFormat.NumberGroupSeparator) = (",", ".");
        try
        {
            CultureInfo.CurrentCulture = comma;
            action();
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }
}
