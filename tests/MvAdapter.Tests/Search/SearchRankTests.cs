using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>What <c>search</c> ranks is what <c>eval</c> measures.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class SearchRankTests(TinyClip clip) : IDisposable
{
    private const int Asked = 5;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Ranks_agree_with_eval_on_made_videos()
    {
        CommandLine.Run("make-dataset", "moving-shapes", "--output", folder.File("shapes"), "--videos", "2", "--test-pairs", "6", "--val-pairs", "1").Succeeds();
        Agrees(Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip"), folder.File("shapes"), folder.File("shapes/captions.jsonl"));
    }

    [Fact]
    public void Ranks_agree_with_eval_on_real_videos()
    {
        string[] captions = ["a man is riding a bike", "a woman is talking", "the dog is running"];
        var rows = new[] { "video7348", "video8914", "video9348" }.Zip(captions, (name, caption) => $"{Fixtures.Clip(name + ".mp4")},{caption}\n").ToArray();
        Agrees(clip.Checkpoint, Path.GetDirectoryName(Fixtures.Clip("video7348.mp4"))!, folder.Write("captions.csv", "video,caption\n" + string.Concat(rows)));
    }

    private void Agrees(string model, string videos, string captions)
    {
        CommandLine.Run("eval", "--clip", model, "--videos", videos, "--captions", captions, "--ranks", folder.File("ranks.csv")).Succeeds();
        // eval sees the test's videos alone; an index of the whole folder is asked below those.
        var expected = File.ReadLines(folder.File("ranks.csv")).Skip(1).Select(line => line.Split(',')).Take(Asked).ToList();
        var below = Directory.Exists(Path.Combine(videos, "videos", "test")) ? Path.Combine(videos, "videos", "test") : videos;
        CommandLine.Run("index", "add", videos, "--clip", model, "--clip-seconds", "0", "--index", folder.File("index.db")).Succeeds();
        foreach (var row in expected)
        {
            using var json = JsonDocument.Parse(CommandLine.Run("search", row[1], "--index", folder.File("index.db"), "--folder", below, "-k", "100", "--json").Succeeds().Output);
            var found = json.RootElement.EnumerateArray().Select(match => (Name: Path.GetFileName(match.GetProperty("path").GetString()!), Score: match.GetProperty("score").GetDouble())).ToList();
            var right = found.Single(match => match.Name == Path.GetFileName(row[2]));
            // A video and its reversal tie but for the last bits, which depend on what else is in a batch.
            var tie = Rounding.Bound(1, Rounding.SumsOf(4));   // the larger model has four blocks
            Assert.InRange(int.Parse(row[3], null), 1 + found.Count(match => match.Score > right.Score + tie), found.Count(match => match.Score >= right.Score - tie));
            Assert.Equal(double.Parse(row[5], null), found[0].Score, 4);
        }
    }
}
