using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>An indexer that is killed at any moment has lost nothing that it had committed, and the next one goes on.</summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class IndexKillTests(TinyClip clip)
{
    private static readonly int MostKills = Kills.Of(12);
    private static readonly int MostRuns = 5 * MostKills;

    [Fact]
    public void Nothing_is_lost_and_nothing_is_there_twice()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Run("make-dataset", "moving-shapes", "--output", folder.File("shapes"), "--videos", "8", "--test-pairs", "2", "--val-pairs", "1").Succeeds();
        var videos = folder.File("shapes/videos");
        string[] Add(string index) =>
            ["index", "add", videos, "--index", folder.File(index), "--clip", clip.Checkpoint, "--clip-seconds", "1", "--overlap", "0.5"];
        var add = Add("index.db");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        CommandLine.Run(Add("whole.db")).Succeeds();
        var whole = (int)clock.ElapsedMilliseconds;
        var expected = Clips(folder.File("whole.db"));
        Assert.True(expected.Count > 40);

        var random = new Random(7);
        var (killed, runs) = (0, 0);
        Dictionary<string, float[]> committed = [];
        while (killed < MostKills)
        {
            Assert.True(++runs <= MostRuns, $"{killed} of {MostRuns} runs were killed, the others had ended before");
            using (var process = CommandLine.Start(add))
            {
                // From before the file is there to after the last commit.
                if (!process.WaitForExit(random.Next(whole / 8, whole * 9 / 8))) killed++;
                process.Kill();
                process.WaitForExit();
            }
            if (!File.Exists(folder.File("index.db"))) continue;
            var now = Clips(folder.File("index.db"));
            Same(now, expected);
            Same(committed, now);
            committed = now;
            if (committed.Count < expected.Count) continue;
            foreach (var file in Directory.EnumerateFiles(folder.Path, "index.db*")) File.Delete(file);
            committed = [];
        }

        CommandLine.Run(add).Succeeds();
        var all = Clips(folder.File("index.db"));
        Assert.Equal(expected.Count, all.Count);
        Same(all, expected);
        CommandLine.Run("index", "verify", "--index", folder.File("index.db")).Succeeds();
    }

    // Each of some clips is among others; the last bits depend on what else was in its batch.
    private static void Same(Dictionary<string, float[]> some, Dictionary<string, float[]> others)
    {
        foreach (var (clip, vector) in some) Rounding.AssertSame(vector, others[clip], Rounding.SumsOf(TinyClip.Layers), clip);
    }

    // Clips of a video are all there or none; a clip that were there twice would throw.
    private static Dictionary<string, float[]> Clips(string index)
    {
        using var store = ClipStore.Open(index, StoreAccess.Create);
        Assert.Empty(store.Verify());
        var clips = new Dictionary<string, float[]>();
        foreach (var collection in store.Collections())
            foreach (var video in store.Videos(collection))
                foreach (var item in store.Clips(collection, video))
                    clips.Add($"{Path.GetFileName(Path.GetDirectoryName(item.Path))}/{Path.GetFileName(item.Path)} {item.Span}", store.FindClip(collection, item.Id)!.Value.Vector.Values.ToArray());
        return clips;
    }
}
