using System.Numerics.Tensors;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

/// <summary>What every store must do, however it keeps its clips.</summary>
public abstract partial class ClipStoreTests
{
    /// <summary>Opens the test's own store; again and again it is the same one, as other processes would see it.</summary>
    protected abstract ClipStore Open();

    /// <summary>How many random stores are compared; fewer where each costs more.</summary>
    protected virtual int RandomStores => 30;

    /// <summary>Empties the store.</summary>
    protected abstract void Clear();

    [Fact]
    public void A_collection_remembers_its_model()
    {
        var model = RandomClips.Model();
        using (var store = Open())
        {
            var collection = store.AddCollection(model);
            Assert.Equal(model, collection.Model);
            // The same model from another place is the same collection, and what it remembers stays.
            Assert.Equal(collection, store.AddCollection(model with { Clip = "elsewhere.pt", Sampling = "head max_frames=1 fps=1" }));
            store.AddCollection(RandomClips.Model(new ModelIdentity("a", "b")) with { Adapter = null, AdapterSettings = null, Vocabulary = null });
        }
        using var again = Open();
        Assert.Equal([model, RandomClips.Model(new ModelIdentity("a", "b")) with { Adapter = null, AdapterSettings = null, Vocabulary = null }],
            again.Collections().Select(collection => collection.Model));
    }

    [Fact]
    public void Vectors_of_another_model_are_refused_with_both_named()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var other = RandomClips.Vectors(new Random(1), 1) with { Identity = new ModelIdentity("aaaa", "bbbb") };
        foreach (var use in new Action[]
        {
            () => store.Search(collection, other, 1),
            () => store.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(1), other),
        })
        {
            var message = Assert.Throws<MvAdapterException>(use).Message;
            Assert.Contains("aaaa+bbbb", message, StringComparison.Ordinal);
            Assert.Contains($"{RandomClips.Identity.Backbone}+{RandomClips.Identity.Adapter}", message, StringComparison.Ordinal);
        }
        Assert.Equal(0, store.Info(collection).Clips);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(0f)]
    [InlineData(2f)]
    public void Vectors_that_are_not_normalised_are_refused(float value)
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var values = new float[RandomClips.Width];
        values[3] = value;
        var vectors = new ClipVectors(RandomClips.Identity, RandomClips.Width, values);
        Assert.Throws<MvAdapterException>(() => store.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(1), vectors));
        Assert.Throws<MvAdapterException>(() => store.Search(collection, vectors, 1));
        Assert.Throws<MvAdapterException>(() => store.Search(collection, new ClipVectors(RandomClips.Identity, 3, new float[] { 1, 0, 0 }), 1));
        Assert.Null(store.FindVideo(collection, "/a.mp4"));
    }

    [Fact]
    public void A_video_replaces_all_that_was_kept_for_its_path()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var random = new Random(1);
        var first = store.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(3), RandomClips.Vectors(random, 3));
        store.ReplaceVideo(collection, RandomClips.Entry("/b.mp4"), RandomClips.Spans(1), RandomClips.Vectors(random, 1));
        var vectors = RandomClips.Vectors(random, 2);
        var entry = RandomClips.Entry("/a.mp4", "hash") with { Size = 7, Problem = "half of it is damaged", Tags = ["x", "y"] };

        var second = store.ReplaceVideo(collection, entry, RandomClips.Spans(2), vectors);

        Assert.Equal(first, second);
        var video = store.FindVideo(collection, "/a.mp4")!;
        Assert.Equal((entry.Size, entry.Hash, entry.Modified, entry.Problem, entry.Duration), (video.Entry.Size, video.Entry.Hash, video.Entry.Modified, video.Entry.Problem, video.Entry.Duration));
        Assert.Equal(entry.Tags, video.Entry.Tags);
        Assert.Equal(2, video.Clips);
        var clips = store.Clips(collection, video);
        Assert.Equal(RandomClips.Spans(2), clips.Select(clip => clip.Span));
        Assert.Equal(vectors[1].ToArray(), store.FindClip(collection, clips[1].Id)!.Value.Vector.Values.ToArray());
        Assert.Equal(new CollectionInfo(collection, 1, 1, 3, 60), store.Info(collection));
        Assert.Equal(3, store.Search(collection, vectors, 100)[0].Count);
        Assert.Empty(store.Verify());
    }

    [Fact]
    public void What_is_removed_is_found_no_more()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var other = store.AddCollection(RandomClips.Model(new ModelIdentity("a", "b")));
        var vectors = RandomClips.Vectors(new Random(1), 2);
        store.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(2), vectors);
        store.ReplaceVideo(other, RandomClips.Entry("/a.mp4"), RandomClips.Spans(2), vectors with { Identity = other.Model.Identity });
        Assert.Equal(2, store.Search(collection, vectors, 10)[0].Count);

        Assert.True(store.RemoveVideo(collection, "/a.mp4"));
        Assert.False(store.RemoveVideo(collection, "/a.mp4"));

        Assert.Empty(store.Search(collection, vectors, 10)[0]);
        Assert.Empty(store.Videos(collection));
        Assert.Equal(2, store.Info(other).Clips);
        store.RemoveCollection(other);
        Assert.Equal([collection], store.Collections());
        Assert.Empty(store.Verify());
    }

    [Fact]
    public void What_another_process_commits_is_seen_by_the_next_search()
    {
        using var writer = Open();
        var collection = writer.AddCollection(RandomClips.Model());
        var vectors = RandomClips.Vectors(new Random(1), 3);
        var one = new ClipVectors(RandomClips.Identity, RandomClips.Width, vectors[0]);
        writer.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(3), vectors);
        using var reader = Open();
        string[] Found() => [.. reader.Search(collection, one, 10)[0].Select(match => match.Clip.Path)];
        Assert.Equal(["/a.mp4", "/a.mp4", "/a.mp4"], Found());

        writer.ReplaceVideo(collection, RandomClips.Entry("/b.mp4"), RandomClips.Spans(1), one);
        Assert.Equal(4, Found().Length);
        writer.ReplaceVideo(collection, RandomClips.Entry("/a.mp4"), RandomClips.Spans(1), one);
        Assert.Equal(["/b.mp4", "/a.mp4"], Found());   // of equal scores the older clip
        var video = writer.FindVideo(collection, "/b.mp4")!;
        Assert.True(writer.UpdateVideo(collection, video.Id, video.Entry with { Path = "/c.mp4" }));
        Assert.Equal(["/c.mp4", "/a.mp4"], Found());
        writer.RemoveVideo(collection, "/a.mp4");
        Assert.Equal(["/c.mp4"], Found());
    }

    [Fact]
    public void A_moved_video_is_found_by_its_content_and_keeps_its_clips()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        store.ReplaceVideo(collection, RandomClips.Entry("/a.mp4", "same"), RandomClips.Spans(2), RandomClips.Vectors(new Random(1), 2));
        store.ReplaceVideo(collection, RandomClips.Entry("/b.mp4", "other"), RandomClips.Spans(2), RandomClips.Vectors(new Random(2), 2));
        var found = Assert.Single(store.FindByHash(collection, "same"));
        var clips = store.Clips(collection, found).Select(clip => clip.Id);

        Assert.True(store.UpdateVideo(collection, found.Id, found.Entry with { Path = "/new/a.mp4" }));

        Assert.Null(store.FindVideo(collection, "/a.mp4"));
        Assert.Equal(clips, store.Clips(collection, store.FindVideo(collection, "/new/a.mp4")!).Select(clip => clip.Id));
        Assert.False(store.UpdateVideo(collection, 12345, found.Entry));
        Assert.Empty(store.Verify());
    }

    [Theory]
    [InlineData("/videos/it's \"quoted\".mp4")]
    [InlineData("/videos/two\nlines\r\t.mp4")]
    [InlineData("/videos/'; DROP TABLE videos; --.mp4")]
    [InlineData("/videos/%_?*[a].mp4")]
    [InlineData("/videos/кошка 猫 😀 e\u0301.mp4")]
    public void Any_name_is_a_name(string path)
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var vectors = RandomClips.Vectors(new Random(1), 1);
        store.ReplaceVideo(collection, RandomClips.Entry(path, path) with { Tags = [path] }, RandomClips.Spans(1), vectors);
        Assert.Equal(path, store.FindVideo(collection, path)!.Entry.Path);
        Assert.Equal(path, Assert.Single(store.FindByHash(collection, path)).Entry.Path);
        Assert.Equal(path, Assert.Single(store.Search(collection, vectors, 5, new ClipFilter { Tag = path, Folder = "/videos" })[0]).Clip.Path);
        Assert.Empty(store.Verify());
    }

    [Fact]
    public void Videos_come_in_the_order_of_their_paths_however_many()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var vector = RandomClips.Vectors(new Random(1), 1);
        var paths = Enumerable.Range(0, 1234).Select(i => $"/{i * 7919 % 1234:0000}.mp4").ToArray();
        foreach (var path in paths) store.ReplaceVideo(collection, RandomClips.Entry(path), RandomClips.Spans(1), vector);
        Assert.Equal(paths.Order(StringComparer.Ordinal), store.Videos(collection).Select(video => video.Entry.Path));
    }

    [Fact]
    public void A_filter_looks_at_what_it_names()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var vector = RandomClips.Vectors(new Random(1), 1);
        void Add(string path, double seconds, int day, params string[] tags) => store.ReplaceVideo(collection,
            RandomClips.Entry(path) with { Duration = seconds, Modified = new DateTime(2024, 1, day, 12, 0, 0, DateTimeKind.Utc), Tags = tags }, RandomClips.Spans(1), vector);
        Add("/a/1.mp4", 5, 1, "dogs");
        Add("/a/b/2.mp4", 10, 2, "dogs", "park");
        Add("/ab/3.mp4", 15, 3);
        string Found(ClipFilter filter)
        {
            var found = string.Concat(store.Search(collection, vector, 10, filter)[0].Select(match => match.Clip.Path[^5]).Order());
            Assert.Equal(found, string.Concat(store.Videos(collection, filter).Select(video => video.Entry.Path[^5]).Order()));
            return found;
        }
        Assert.Equal("123", Found(new ClipFilter()));
        Assert.Equal("12", Found(new ClipFilter { Folder = "/a/" }));
        Assert.Equal("123", Found(new ClipFilter { Folder = "/" }));
        Assert.Equal("23", Found(new ClipFilter { MinSeconds = 10 }));
        Assert.Equal("12", Found(new ClipFilter { MaxSeconds = 10 }));
        Assert.Equal("2", Found(new ClipFilter { After = new DateTime(2024, 1, 2, 0, 0, 0, DateTimeKind.Utc), Before = new DateTime(2024, 1, 3, 12, 0, 0, DateTimeKind.Utc) }));
        Assert.Equal("12", Found(new ClipFilter { Tag = "dogs" }));
        Assert.Equal("", Found(new ClipFilter { Tag = "dog" }));
    }

    [Fact]
    public void A_video_of_many_clips_that_fit_does_not_take_the_places_of_others()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var random = new Random(3);
        var query = RandomClips.Vectors(random, 1);
        // All clips of one video are the query itself; the other videos have one clip each, of any direction.
        var near = new ClipVectors(query.Identity, query.Width, Enumerable.Repeat(query.Values.ToArray(), 700).SelectMany(vector => vector).ToArray());
        store.ReplaceVideo(collection, RandomClips.Entry("/long.mp4"), RandomClips.Spans(700), near);
        for (var i = 0; i < 9; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/{i}.mp4"), RandomClips.Spans(1), RandomClips.Vectors(random, 1));
        Assert.All(store.Search(collection, query, 10)[0], match => Assert.Equal("/long.mp4", match.Clip.Path));
        var videos = store.SearchVideos(collection, query, 10)[0];
        Assert.Equal("/long.mp4", videos[0].Clip.Path);
        Assert.Equal(10, videos.Select(match => match.Clip.Path).Distinct().Count());
    }

    [Fact]
    public void Search_finds_what_looking_at_every_clip_would()
    {
        var cases = from seed in Gen.Choose(0, int.MaxValue)
                    from videos in Gen.Choose(0, 60)
                    from directions in Gen.Elements(1, 5, 50, int.MaxValue)
                    from count in Gen.Elements(1, 2, 10, 500)
                    from filtered in Gen.Elements(false, true)
                    select (seed, videos, directions, count, filtered);
        Prop.ForAll(cases.ToArbitrary(), test => Agrees(test.seed, test.videos, test.directions, test.count, test.filtered))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(RandomStores));
    }

    private void Agrees(int seed, int videos, int directions, int count, bool filtered)
    {
        Clear();
        var random = new Random(seed);
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        for (var i = 0; i < videos; i++)
        {
            var clips = random.Next(6);
            store.ReplaceVideo(collection, RandomClips.Entry($"/{random.Next(40)}.mp4") with { Duration = random.Next(20), Problem = clips == 0 ? "no frames" : null },
                RandomClips.Spans(clips), RandomClips.Vectors(random, clips, directions));
            if (random.Next(8) == 0) store.RemoveVideo(collection, $"/{random.Next(40)}.mp4");
            if (random.Next(20) == 0) store.Search(collection, RandomClips.Vectors(random, 1), 1);   // so that later changes come to a matrix in use
        }
        var queries = RandomClips.Vectors(random, 3, directions);
        var filter = filtered ? new ClipFilter { MinSeconds = 5, MaxSeconds = 15 } : null;
        var all = store.Videos(collection, filter).SelectMany(video => store.Clips(collection, video))
            .Select(clip => (Clip: clip, store.FindClip(collection, clip.Id)!.Value.Vector)).ToList();
        var (found, best) = (store.Search(collection, queries, count, filter), store.SearchVideos(collection, queries, count, filter));
        for (var q = 0; q < queries.Count; q++)
        {
            var query = queries[q];
            var expected = all.Select(item => new ClipMatch(item.Clip, TensorPrimitives.Dot(query.Span, item.Vector.Values.Span)))
                .OrderByDescending(match => match.Score).ThenBy(match => match.Clip.Id).ToList();
            Assert.Equal(expected.Take(count), found[q]);
            Assert.Equal(expected.DistinctBy(match => match.Clip.Path).Take(count), best[q]);
        }
        Assert.Empty(store.Verify());
    }
}
