using MvAdapter.Search;

namespace MvAdapter.Tests.Search;

/// <summary>What every store keeps of what people say of clips.</summary>
public abstract partial class ClipStoreTests
{
    private static readonly ClipSpan Span = new(1.5, 4);

    private static ClipAnnotation Said(string text, AnnotationKind kind = AnnotationKind.Caption, string hash = "h", string? token = null) =>
        new(token ?? ClipAnnotation.NewToken(), kind, hash, "/a.mp4", Span, text) { Who = "alice" };

    [Fact]
    public void Captions_and_marks_are_kept_as_they_were_said()
    {
        ClipAnnotation[] all = [Said("a dog"), Said("ein Hund läuft, <b>犬</b> 🐕"), Said("dogs", AnnotationKind.Right), Said("cats", AnnotationKind.Wrong, "other")];
        using (var store = Open())
            foreach (var one in all) Assert.Equal(one, store.Annotations.Add(one));
        using var again = Open();
        Assert.Equal(all, again.Annotations.All());
        Assert.Equal(all[..3], again.Annotations.Of("h"));
        Assert.Equal([(AnnotationKind.Caption, 2L), (AnnotationKind.Right, 1L), (AnnotationKind.Wrong, 1L)], again.Annotations.Count().OrderBy(item => item.Key).Select(item => (item.Key, item.Value)));
    }

    [Fact]
    public void What_is_said_twice_is_kept_once_and_can_be_taken_back()
    {
        using var store = Open();
        var first = store.Annotations.Add(Said("a dog", token: "t-1"));
        Assert.Equal(first, store.Annotations.Add(Said("a cat", token: "t-1")));      // a request that was repeated
        Assert.Equal(first, store.Annotations.Add(Said(" a  dog ")));                 // an equal caption of the clip
        Assert.Equal([first], store.Annotations.All());
        Assert.True(store.Annotations.Remove("t-1"));
        Assert.False(store.Annotations.Remove("t-1"));
        Assert.Empty(store.Annotations.All());
    }

    [Fact]
    public void Of_a_query_and_a_clip_the_last_mark_counts()
    {
        using var store = Open();
        store.Annotations.Add(Said("dogs", AnnotationKind.Right));
        store.Annotations.Add(Said("cats", AnnotationKind.Right));
        var last = store.Annotations.Add(Said("dogs", AnnotationKind.Wrong));
        Assert.Equal(["cats", "dogs"], store.Annotations.All().Select(one => one.Text));
        Assert.Equal(last, store.Annotations.All()[1]);
    }

    [Theory]
    [InlineData("", "must not be empty")]
    [InlineData(" \t\n", "must not be empty")]
    [InlineData("a\u0007b", "control characters")]
    [InlineData("a\ud800b", "control characters or broken ones")]
    public void What_is_no_caption_is_refused(string text, string reason)
    {
        using var store = Open();
        Assert.Contains(reason, Assert.Throws<UsageException>(() => store.Annotations.Add(Said(text))).Message, StringComparison.Ordinal);
        Assert.Contains("at most 500 characters, not 10000", Assert.Throws<UsageException>(() => store.Annotations.Add(Said(new string('x', 10_000)))).Message, StringComparison.Ordinal);
        Assert.Contains("a token has", Assert.Throws<UsageException>(() => store.Annotations.Add(Said("a", token: "'; DROP"))).Message, StringComparison.Ordinal);
        Assert.Empty(store.Annotations.All());
    }

    [Fact]
    public void Many_who_say_the_same_at_once_leave_one_each()
    {
        var failures = new List<Exception>();
        using var first = Open();
        using var second = Open();
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() =>
        {
            try
            {
                var store = i % 2 == 0 ? first : second;
                for (var n = 0; n < 20; n++)
                {
                    store.Annotations.Add(Said($"caption {n}"));
                    store.Annotations.Add(Said($"query {n}", (n + i) % 2 == 0 ? AnnotationKind.Right : AnnotationKind.Wrong));
                }
            }
            catch (Exception e)
            {
                lock (failures) failures.Add(e);
            }
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
        Assert.Equal(Enumerable.Range(0, 20).SelectMany(n => new[] { $"caption {n}", $"query {n}" }).Order(StringComparer.Ordinal),
            first.Annotations.All().Select(one => one.Text).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_is_said_of_videos_that_are_not_there_is_told_from_the_rest()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var other = store.AddCollection(RandomClips.Model(new ModelIdentity("a", "b")));
        foreach (var name in new[] { "a", "b" }) store.ReplaceVideo(collection, RandomClips.Entry($"/{name}.mp4", name), RandomClips.Spans(1), RandomClips.Vectors(new Random(1), 1));
        Assert.Empty(store.AnnotatedHashes(collection));
        foreach (var hash in new[] { "a", "a", "gone" }) store.Annotations.Add(Said(hash, hash: hash));
        Assert.Equal(["a"], store.AnnotatedHashes(collection));
        Assert.Empty(store.AnnotatedHashes(other));
    }

    [Fact]
    public void A_collection_takes_anothers_place_when_it_is_whole()
    {
        using var store = Open();
        var old = store.AddCollection(RandomClips.Model());
        var next = store.AddCollection(RandomClips.Model(new ModelIdentity("a", "b")), old);
        Assert.Equal(next, store.AddCollection(next.Model, old));
        Assert.True(next.IsBuilding);
        Assert.Equal([old], store.Searchable());
        Assert.Equal([old], store.Latest());
        store.Complete(next);
        Assert.Equal([old.Id, next.Id], store.Searchable().Select(collection => collection.Id));
        Assert.Equal([next.Id], store.Latest().Select(collection => collection.Id));
        store.RemoveCollection(store.Latest()[0]);
        Assert.Equal([old], store.Latest());
    }

    [Fact]
    public void A_sample_is_spread_over_the_collection_and_the_same_each_time()
    {
        using var store = Open();
        var collection = store.AddCollection(RandomClips.Model());
        var random = new Random(1);
        foreach (var i in Enumerable.Range(0, 30)) store.ReplaceVideo(collection, RandomClips.Entry($"/v{i:00}.mp4"), RandomClips.Spans(2), RandomClips.Vectors(random, 2));
        var sample = store.Sample(collection, 20, 7);
        Assert.Equal(20, sample.Select(clip => clip.Clip.Id).Distinct().Count());
        Assert.Equal(sample.Select(clip => clip.Clip), store.Sample(collection, 20, 7).Select(clip => clip.Clip));
        Assert.NotEqual(sample.Select(clip => clip.Clip), store.Sample(collection, 20, 8).Select(clip => clip.Clip));
        Assert.All(sample, clip => Assert.Equal(store.FindClip(collection, clip.Clip.Id)!.Value.Vector.Values.ToArray(), clip.Vector.ToArray()));
        Assert.All(sample, clip => Assert.Equal(store.FindVideo(collection, clip.Clip.Path)!.Entry.Hash, clip.Hash));
        Assert.Equal(60, store.Sample(collection, 1000).Count);
    }
}
