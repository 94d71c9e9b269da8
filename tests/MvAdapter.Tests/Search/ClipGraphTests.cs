using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>The approximate index beside the exact one: what it finds, and that it is never more than a help.</summary>
public sealed class ClipGraphTests : IDisposable
{
    private const int Videos = 2000;
    private const int ClipsOfAVideo = 3;
    private const int Count = 10;
    private const int ClipsOfACell = 1000;
    private const int Cells = Videos * ClipsOfAVideo / ClipsOfACell;
    private static readonly long All = Videos * ClipsOfAVideo;
    private readonly TemporaryFolder folder = new();
    private readonly ClipCollection collection;

    public ClipGraphTests()
    {
        Assert.SkipUnless(ClipGraphBuilder.IsPossible, "USearch has no library for this kind of machine");
        using var store = ClipStore.Open(Index, StoreAccess.Create);
        collection = store.AddCollection(RandomClips.Model());
        var random = new Random(1);
        for (var i = 0; i < Videos; i++) Add(store, $"/{i % 20:00}/v{i}.mp4", random, i % 1000 == 7 ? "rare" : i % 2 == 0 ? "even" : "odd");
    }

    private string Index => folder.File("i.db");

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(null, null)]
    [InlineData("rare", null)]      // one in a thousand
    [InlineData("even", null)]
    [InlineData(null, "/07")]
    public void It_finds_what_looking_at_every_clip_finds(string? tag, string? below)
    {
        using var store = ClipStore.Open(Index);
        Assert.False(store.IsApproximate(collection));
        Assert.Equal(All, Builder().Build());
        Assert.True(store.IsApproximate(collection));
        var filter = tag is null && below is null ? null : new ClipFilter { Tag = tag, Folder = below };
        var queries = RandomClips.Vectors(new Random(99), 50);
        var (near, exact) = (store.Search(collection, queries, Count, filter), store.Search(collection, queries, Count, filter, exact: true));
        var found = near.Zip(exact).Sum(pair => pair.First.Intersect(pair.Second).Count());
        Assert.InRange(found, 0.95 * exact.Sum(best => best.Count), double.MaxValue);
        // Scores are those of the vectors themselves, and in order.
        Assert.All(near, best => Assert.Equal(best.OrderByDescending(match => match.Score).ThenBy(match => match.Clip.Id), best));
        Assert.Equal(near.Select(best => best[0]), store.SearchVideos(collection, queries, 3, filter).Select(best => best[0]));
    }

    [Fact]
    public void Filters_that_let_many_pass_go_through_the_graph()
    {
        // More than are looked at one by one.
        using (var store = ClipStore.Open(Index, StoreAccess.Write))
        {
            var random = new Random(2);
            for (var i = 0; i < 300; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/long/{i}.mp4") with { Tags = [i % 2 == 0 ? "a" : "b"] }, RandomClips.Spans(150), RandomClips.Vectors(random, 150));
        }
        using var reader = ClipStore.Open(Index);
        Builder(clipsOfACell: 10_000).Build();
        var queries = RandomClips.Vectors(new Random(99), 20);
        var filter = new ClipFilter { Tag = "a" };
        var (near, exact) = (reader.Search(collection, queries, Count, filter), reader.Search(collection, queries, Count, filter, exact: true));
        Assert.All(near, best => Assert.Equal(Count, best.Count));
        Assert.InRange(near.Zip(exact).Sum(pair => pair.First.Intersect(pair.Second).Count()), 0.95 * Count * queries.Count, Count * queries.Count);
    }

    [Fact]
    public void What_comes_and_goes_after_it_was_built_is_seen_at_once_and_taken_in_later()
    {
        using var reader = ClipStore.Open(Index);
        Builder().Build();
        using var writer = ClipStore.Open(Index, StoreAccess.Write);
        var one = RandomClips.Vectors(new Random(5), 1);
        string[] Found() => [.. reader.Search(collection, one, 3)[0].Where(match => match.Score > 0.999).Select(match => match.Clip.Path)];
        Assert.Empty(Found());
        writer.ReplaceVideo(collection, RandomClips.Entry("/new.mp4"), RandomClips.Spans(1), one);
        Assert.Equal(["/new.mp4"], Found());
        var best = reader.Search(collection, RandomClips.Vectors(new Random(99), 1), 1)[0][0];
        writer.RemoveVideo(collection, best.Clip.Path);
        Assert.NotEqual(best.Clip.Id, reader.Search(collection, RandomClips.Vectors(new Random(99), 1), 1)[0][0].Clip.Id);
        var moved = writer.FindVideo(collection, "/new.mp4")!;
        writer.UpdateVideo(collection, moved.Id, moved.Entry with { Path = "/moved.mp4" });
        Assert.Equal(["/moved.mp4"], Found());
        Assert.Equal(1, Builder().Build());
        Assert.Equal(["/moved.mp4"], Found());
        writer.RemoveVideo(collection, "/moved.mp4");
        Assert.Empty(Found());
        Assert.Empty(reader.Verify());
    }

    [Fact]
    public void It_is_due_where_there_is_none_or_too_much_has_changed()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        var builder = Builder();
        Assert.False(builder.IsDue());   // a small collection is searched exactly
        Assert.True(builder.IsDue(least: 1));
        builder.Build();
        Assert.False(builder.IsDue(least: 1));
        var files = Directory.GetFiles(Index + ".graph", "*.usearch");
        builder.Build();
        Assert.Equal(files, Directory.GetFiles(Index + ".graph", "*.usearch"));   // nothing has changed
        Assert.Equal(Cells, files.Length);
        Add(store, "/new.mp4", new Random(3), "new");
        Assert.Equal(ClipsOfAVideo, builder.Build());
        var now = Directory.GetFiles(Index + ".graph", "*.usearch");
        Assert.Equal(Cells, now.Length);
        Assert.InRange(now.Except(files).Count(), 1, ClipsOfAVideo);   // of the cells alone in which the new ones are
        store.RemoveCollection(collection);
        Assert.DoesNotContain(Directory.GetFiles(Index + ".graph"), file => !file.EndsWith(".lock", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("changed")]
    [InlineData("gone")]
    [InlineData("note")]
    public void A_damaged_one_is_not_used_but_told_of_and_made_anew(string how)
    {
        using (var store = ClipStore.Open(Index)) Builder().Build();
        var file = Directory.GetFiles(Index + ".graph", "*.usearch")[Cells / 2];
        if (how == "truncated") using (var stream = File.OpenWrite(file)) stream.SetLength(stream.Length / 2);
        if (how == "changed") using (var stream = File.OpenWrite(file)) stream.Write("no graph at all"u8);
        if (how == "gone") File.Delete(file);
        if (how == "note") File.WriteAllText(Assert.Single(Directory.GetFiles(Index + ".graph", "*.json")), "{");
        using var again = ClipStore.Open(Index);
        Assert.False(again.IsApproximate(collection));
        Assert.Equal(3, again.Search(collection, RandomClips.Vectors(new Random(1), 1), 3)[0].Count);
        Assert.Contains("the approximate index of collection 1 is damaged", Assert.Single(again.Verify()), StringComparison.Ordinal);
        Assert.True(Builder().IsDue(least: 1));
        Assert.Equal(All, Builder().Build());
        Assert.True(again.IsApproximate(collection));
        Assert.Empty(again.Verify());
    }

    [Fact]
    public void A_collection_that_has_grown_threefold_gets_more_cells()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Builder().Build();
        var random = new Random(4);
        for (var i = 0; i < 130; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/long/{i}.mp4"), RandomClips.Spans(100), RandomClips.Vectors(random, 100));
        Assert.Equal(All + 13_000, Builder().Build());
        Assert.Equal(19, Directory.GetFiles(Index + ".graph", "*.usearch").Length);
        Assert.Equal(0, Builder().Build());
    }

    [Fact]
    public void A_build_that_was_stopped_goes_on()
    {
        using var store = ClipStore.Open(Index);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Builder().Build(new Told(progress =>
        {
            if (progress is { IsSorting: false, Done: > 0 }) stop.Cancel();
        }), stop.Token));
        Assert.False(store.IsApproximate(collection));   // a part of a graph answers nobody
        Assert.InRange(Builder().Build(), 1, All - 1);
        Assert.True(store.IsApproximate(collection));
        Assert.Single(Directory.GetFiles(Index + ".graph", "*.json"));
        Assert.Empty(Directory.GetFiles(Index + ".graph", "*.codes"));
        using var held = File.Open(Path.Combine(Index + ".graph", "collection-1.lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Contains("another process builds here", Assert.Throws<MvAdapterException>(() => Builder().Build()).Message, StringComparison.Ordinal);
    }

    // Of several cells.
    private ClipGraphBuilder Builder(long clipsOfACell = ClipsOfACell) => new(Index, collection, threads: 2, clipsOfACell);

    private void Add(ClipStore store, string path, Random random, string tag) =>
        store.ReplaceVideo(collection, RandomClips.Entry(path) with { Tags = [tag] }, RandomClips.Spans(ClipsOfAVideo), RandomClips.Vectors(random, ClipsOfAVideo));

    private sealed class Told(Action<GraphProgress> told) : IProgress<GraphProgress>
    {
        public void Report(GraphProgress value) => told(value);
    }
}
