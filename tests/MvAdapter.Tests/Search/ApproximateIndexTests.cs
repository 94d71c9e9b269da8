using System.Numerics.Tensors;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>The approximate index beside the exact one: what it finds, and that it is never more than a help.</summary>
public sealed class ApproximateIndexTests : IDisposable
{
    private const int Videos = 2000;
    private const int ClipsOfAVideo = 3;
    private const int Count = 10;
    private const int ClipsOfAFile = 1000;
    private static readonly long All = Videos * ClipsOfAVideo;
    private readonly TemporaryFolder folder = new();
    private readonly ClipCollection collection;

    public ApproximateIndexTests()
    {
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
    public void It_looks_at_some_cells_alone_and_at_more_where_few_clips_pass()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Grow(store);
        var total = Builder(clipsOfAFile: 10_000).Build();
        using var approximate = ApproximateIndex.TryOpen(Index, collection)!;
        var cells = 4 * Math.Sqrt(total);
        var query = RandomClips.Vectors(new Random(99), 1)[0];
        var (near, looked) = approximate.Nearest(query.Span, 10, null, default, least: 0);
        Assert.Equal(10, near.Distinct().Count());
        Assert.InRange(looked, 64 * total / cells - 1, 128 * total / cells);   // of 26,000 some 2,600; the last cell may be a large one
        // A quarter passes: twice as many are looked at. Five pass: until they are found.
        var bits = new ulong[(total >> 6) + 2];
        for (var clip = 0L; clip < total; clip += 4) bits[clip >> 6] |= 1UL << (int)(clip & 63);
        Assert.InRange(approximate.Nearest(query.Span, 10, new PassingClips(bits, total / 4), default, least: 0).Looked, 1.5 * looked, 3 * looked);
        Array.Clear(bits);
        bits[7] = 0b11111;
        var (few, all) = approximate.Nearest(query.Span, 10, new PassingClips(bits, 5), default, least: 0);
        Assert.Equal([448L, 449, 450, 451, 452], few.Order());
        Assert.Equal(total, all);
    }

    [Fact]
    public void A_crowd_is_found_whole_though_few_clips_are_looked_at()
    {
        const int crowds = 100, clipsOfACrowd = 300;
        using var store = ClipStore.Open(folder.File("crowds.db"), StoreAccess.Create);
        var crowded = store.AddCollection(RandomClips.Model());
        var random = new Random(11);
        var centres = RandomClips.Vectors(random, crowds);
        for (var i = 0; i < crowds; i++) store.ReplaceVideo(crowded, RandomClips.Entry($"/{i}.mp4"), RandomClips.Spans(clipsOfACrowd), Near(i, clipsOfACrowd));
        store.ApproximateIndexBuilder(crowded)!.Build();
        using var approximate = ApproximateIndex.TryOpen(folder.File("crowds.db"), crowded)!;
        for (var i = 0; i < crowds; i++)
        {
            // Nearer to their centre than any other crowd; in 64 cells of 43 there is place for nine such.
            var query = Near(i, 1);
            var (near, looked) = approximate.Nearest(query[0].Span, 3 * Count, null, default, least: 0);
            Assert.InRange(looked, 1, crowds * clipsOfACrowd / 5);
            Assert.Subset(near.ToHashSet(), store.Search(crowded, query, Count, exact: true)[0].Select(match => match.Clip.Id).ToHashSet());
        }

        ClipVectors Near(int crowd, int count)
        {
            var around = RandomClips.Vectors(random, count).Values.ToArray();
            for (var i = 0; i < around.Length; i++) around[i] = 0.3f * around[i] + centres[crowd].Span[i % RandomClips.Width];
            foreach (var row in around.Chunk(RandomClips.Width).Index())
                for (var k = 0; k < RandomClips.Width; k++) around[row.Index * RandomClips.Width + k] /= TensorPrimitives.Norm<float>(row.Item);
            return new ClipVectors(RandomClips.Identity, RandomClips.Width, around);
        }
    }

    [Fact]
    public void Filters_that_let_many_pass_go_through_the_cells()
    {
        // More than are looked at one by one.
        using (var store = ClipStore.Open(Index, StoreAccess.Write))
        {
            var random = new Random(2);
            for (var i = 0; i < 300; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/long/{i}.mp4") with { Tags = [i % 2 == 0 ? "a" : "b"] }, RandomClips.Spans(150), RandomClips.Vectors(random, 150));
        }
        using var reader = ClipStore.Open(Index);
        Builder(clipsOfAFile: 10_000).Build();
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
        var files = Files();
        builder.Build();
        Assert.Equal(files, Files());   // nothing has changed
        Assert.Equal(2, files.Length);  // of whole pages
        Add(store, "/new.mp4", new Random(3), "new");
        Assert.Equal(ClipsOfAVideo, builder.Build());
        Assert.Equal(files.Length + 1, Files().Length);
        Assert.Subset(Files().ToHashSet(), files.ToHashSet());   // what was there is not written again
        store.RemoveCollection(collection);
        Assert.DoesNotContain(Directory.GetFiles(Index + ".approximate"), file => !file.EndsWith(".lock", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("changed")]
    [InlineData("gone")]
    [InlineData("note")]
    [InlineData("centres")]
    [InlineData("end")]
    public void A_damaged_one_is_not_used_but_told_of_and_made_anew(string how)
    {
        using (var store = ClipStore.Open(Index)) Builder().Build();
        var file = how == "centres" ? Assert.Single(Directory.GetFiles(Index + ".approximate", "*.centres")) : Files()[1];
        if (how == "truncated") using (var stream = File.OpenWrite(file)) stream.SetLength(stream.Length / 2);
        if (how == "changed") using (var stream = File.OpenWrite(file)) stream.Write("no cells at all"u8);
        if (how is "centres") using (var stream = File.OpenWrite(file)) stream.SetLength(5);
        if (how is "end") using (var stream = File.OpenWrite(file)) { stream.Position = stream.Length - 1; stream.WriteByte(0x55); }
        if (how == "gone") File.Delete(file);
        if (how == "note") File.WriteAllText(Assert.Single(Directory.GetFiles(Index + ".approximate", "*.json")), "{");
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
    public void Damage_that_only_reading_all_shows_is_found_by_a_thorough_look()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Grow(store);
        Builder(clipsOfAFile: 100_000).Build();
        using (var file = File.Open(Assert.Single(Files()), FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = (1 << 16) + 1000;   // between the parts that are looked at whenever it is opened
            var was = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)~was);
        }
        Assert.False(Builder().IsDue(least: 1));
        Assert.True(Builder().IsDue(least: 1, thorough: true));
        Assert.Contains("is damaged", Assert.Single(store.Verify()), StringComparison.Ordinal);
        Assert.Equal(All + 20_000, Builder().Build());
        Assert.Empty(store.Verify());
    }

    [Fact]
    public void A_collection_that_has_grown_gets_more_cells()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Builder().Build();
        Grow(store);
        var before = Centres();
        Assert.Equal(All + 20_000, Builder().Build());   // more than fourfold: learnt anew
        Assert.InRange(Centres(), 2 * before, 3 * before);
        Assert.Equal(0, Builder().Build());

        long Centres() => new FileInfo(Assert.Single(Directory.GetFiles(Index + ".approximate", "*.centres"))).Length;
    }

    [Fact]
    public void Small_files_become_one_and_nothing_is_in_them_twice()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Builder(clipsOfAFile: 100_000).Build();
        var random = new Random(4);
        var most = 0;
        for (var i = 0; i < 12; i++)
        {
            Add(store, $"/new/{i}.mp4", random, "new");
            Assert.Equal(ClipsOfAVideo, Builder(clipsOfAFile: 10_000).Build());
            most = Math.Max(most, Files().Length);
        }
        Assert.Equal(9, most);   // the large one, and eight small ones
        // A video that is moved keeps its clips.
        var video = store.FindVideo(collection, "/new/3.mp4")!;
        store.UpdateVideo(collection, video.Id, video.Entry with { Path = "/moved.mp4" });
        Assert.Equal(0, Builder().Build());
        var query = RandomClips.Vectors(new Random(99), 1);
        Assert.Equal(store.Search(collection, query, 100, exact: true)[0], store.Search(collection, query, 100, new ClipFilter())[0]);
        Assert.Equal(100, store.Search(collection, query, 100)[0].Select(match => match.Clip.Id).Distinct().Count());
        Assert.Empty(store.Verify());
    }

    [Fact]
    public void What_earlier_versions_built_is_deleted_and_nothing_else()
    {
        Directory.CreateDirectory(Index + ".graph");
        foreach (var name in new[] { "collection-1.json", "collection-1-ab.usearch", "collection-12.json" }) File.WriteAllText(Path.Combine(Index + ".graph", name), "");
        Builder().Build();
        Assert.Equal("collection-12.json", Path.GetFileName(Assert.Single(Directory.GetFiles(Index + ".graph"))));
        File.Delete(Path.Combine(Index + ".graph", "collection-12.json"));
        Builder().Build();
        Assert.False(Directory.Exists(Index + ".graph"));
    }

    [Fact]
    public void A_build_that_was_stopped_goes_on()
    {
        using var store = ClipStore.Open(Index);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Builder().Build(new Told(progress =>
        {
            if (progress is { IsLearning: false, Done: > 0 }) stop.Cancel();
        }), stop.Token));
        Assert.False(store.IsApproximate(collection));   // a part answers nobody
        Assert.InRange(Builder().Build(), 1, All - 1);
        Assert.True(store.IsApproximate(collection));
        Assert.Single(Directory.GetFiles(Index + ".approximate", "*.json"));
        Assert.Empty(store.Verify());
        using var held = File.Open(Path.Combine(Index + ".approximate", "collection-1.lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        Assert.Contains("another process builds here", Assert.Throws<MvAdapterException>(() => Builder().Build()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Taking_in_what_came_later_goes_on_where_it_was_stopped_and_the_old_one_answers_meanwhile()
    {
        using var store = ClipStore.Open(Index, StoreAccess.Write);
        Builder().Build();
        const int later = 8000;
        Grow(store, later / 100);
        using var stop = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => Builder().Build(new Told(progress =>
        {
            if (progress.Done > All) stop.Cancel();
        }), stop.Token));
        Assert.True(store.IsApproximate(collection));
        Assert.InRange(Builder().Build(), 1, later - 1);
        Assert.Empty(store.Verify());
        var query = RandomClips.Vectors(new Random(99), 1);
        Assert.Equal(store.Search(collection, query, 100, exact: true)[0], store.Search(collection, query, 100)[0]);
    }

    [Fact]
    public void Vectors_that_are_all_the_same_can_be_learnt_from()
    {
        using var store = ClipStore.Open(folder.File("same.db"), StoreAccess.Create);
        var same = store.AddCollection(RandomClips.Model());
        var one = RandomClips.Vectors(new Random(1), 1);
        for (var i = 0; i < 40; i++) store.ReplaceVideo(same, RandomClips.Entry($"/{i}.mp4"), RandomClips.Spans(1), one);
        Assert.Equal(40, store.ApproximateIndexBuilder(same)!.Build());
        Assert.Equal(40, store.Search(same, one, 100)[0].Count);
        Assert.True(store.Search(same, one, 100)[0].IsApproximate);
    }

    // Of several files.
    private ApproximateIndexBuilder Builder(int clipsOfAFile = ClipsOfAFile) => new(Index, collection, threads: 2, clipsOfAFile);

    private string[] Files() => [.. Directory.GetFiles(Index + ".approximate", "*.cells").Order()];

    private void Grow(ClipStore store, int videos = 200)
    {
        var random = new Random(4);
        for (var i = 0; i < videos; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/long/{i}.mp4"), RandomClips.Spans(100), RandomClips.Vectors(random, 100));
    }

    private void Add(ClipStore store, string path, Random random, string tag) =>
        store.ReplaceVideo(collection, RandomClips.Entry(path) with { Tags = [tag] }, RandomClips.Spans(ClipsOfAVideo), RandomClips.Vectors(random, ClipsOfAVideo));

    private sealed class Told(Action<ApproximateIndexProgress> told) : IProgress<ApproximateIndexProgress>
    {
        public void Report(ApproximateIndexProgress value) => told(value);
    }
}
