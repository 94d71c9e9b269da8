using System.Collections.Concurrent;
using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>An index whose clips lie on three servers, of which some go and come.</summary>
public sealed class ClipShardsTests : IClassFixture<ClipShardsTests.Servers>, IDisposable
{
    private const int Videos = 120;
    private const int ClipsEach = 4;
    private readonly Servers servers;
    private readonly string database;
    private readonly string[] shards;

    public ClipShardsTests(Servers servers)
    {
        this.servers = servers;
        database = servers.All[0].NewDatabase();
        shards = [.. servers.All.Select(server => server.NewDatabase())];
    }

    /// <summary>Three of them.</summary>
    public sealed class Servers : IDisposable
    {
        public PostgresServer[] All { get; } = [new(), new(), new()];

        public void Dispose() => Array.ForEach(All, server => server.Dispose());
    }

    private string Address => servers.All[0].Address(database);

    private string Shard(int number) => servers.All[number].Address(shards[number]);

    public void Dispose()
    {
        servers.All[0].Execute("postgres", $"DROP DATABASE {database} WITH (FORCE)");
        foreach (var (server, shard) in servers.All.Zip(shards)) server.Execute("postgres", $"DROP DATABASE {shard} WITH (FORCE)");
    }

    [Fact]
    public void Clips_spread_evenly_and_answers_are_those_of_one_server()
    {
        using var store = Open(0, 1, 2);
        var collection = Fill(store);
        var all = new ClipShards(store);
        Assert.All(all.List(), shard => Assert.InRange(shard.Videos, Videos / 6, Videos / 2));   // 40 each; less than 20 or more than 60 of 120: 4 standard deviations
        Assert.Equal((Videos, Videos * ClipsEach), (all.List().Sum(shard => shard.Videos), all.List().Sum(shard => shard.Clips)));
        Assert.Equal(0, all.ToMove());
        Assert.Empty(store.Verify());
        var other = servers.All[0].NewDatabase();
        using var one = ClipStore.Open(servers.All[0].Address(other), StoreAccess.Create);
        var whole = Fill(one);
        var queries = RandomClips.Vectors(new Random(9), 20);
        foreach (var filter in new[] { null, new ClipFilter { Tag = "even" }, new ClipFilter { MinSeconds = 31 } })
            Assert.Equal(Found(one.Search(whole, queries, 10, filter)), Found(store.Search(collection, queries, 10, filter)));
    }

    [Fact]
    public void While_a_shard_is_away_answers_are_partial_and_say_so_and_then_whole_again()
    {
        using var store = Open(0, 1, 2);
        var collection = Fill(store);
        var queries = RandomClips.Vectors(new Random(9), 5);
        var whole = store.Search(collection, queries, 1000);
        Assert.All(whole, answer => Assert.Empty(answer.Missing));
        servers.All[1].Stop();
        try
        {
            var partial = store.Search(collection, queries, 1000);
            var name = PostgresAddress.Parse(Shard(1)).Name;
            Assert.All(partial, answer => Assert.Equal([name], answer.Missing));
            var there = store.Videos(collection).Where(video => Number(store, video.Id) != 2).Select(video => video.Entry.Path).ToHashSet();
            Assert.Equal(Found(whole.Select(answer => answer.With(answer.Where(match => there.Contains(match.Clip.Path))))), Found(partial));
            var gone = store.Videos(collection).First(video => !there.Contains(video.Entry.Path));
            Assert.Contains(new ClipShards(store).List(), shard => !shard.Answers && shard.Name == name);
            Assert.Equal(ClipsEach, gone.Clips);
        }
        finally
        {
            servers.All[1].Start();
        }
        // It is asked every two seconds, for six at most.
        Assert.True(SpinWait.SpinUntil(() => store.Search(collection, queries, 1000)[0].Missing.Count == 0, TimeSpan.FromSeconds(60)));
        Assert.Equal(Found(whole), Found(store.Search(collection, queries, 1000)));
        Assert.Empty(store.Verify());
    }

    [Fact]
    public async Task A_fourth_takes_its_share_while_others_write_and_search_and_nothing_is_lost_or_twice()
    {
        using var store = Open(0, 1);
        var collection = Fill(store);
        using var end = new CancellationTokenSource();
        var faults = new ConcurrentQueue<string>();
        var still = Enumerable.Range(0, Videos).Where(i => i % 3 == 0).Select(i => (Path: $"/{i}.mp4", Vector: Vector(i))).ToList();
        var written = Videos;
        var writers = Enumerable.Range(0, 2).Select(writer => Task.Run(() =>
        {
            using var own = ClipStore.Open(Address, StoreAccess.Write);
            var random = new Random(writer);
            while (!end.IsCancellationRequested)
            {
                var i = random.Next(3) == 0 ? Interlocked.Increment(ref written) - 1 : random.Next(Videos);
                if (i % 3 != 0) Write(own, collection, i);
            }
        })).ToList();
        writers.Add(Task.Run(() =>
        {
            using var own = ClipStore.Open(Address, StoreAccess.Read);
            while (!end.IsCancellationRequested)
            {
                foreach (var (path, vector) in still)
                {
                    var answer = own.Search(collection, vector, 50, exact: true)[0];
                    if (answer[0].Clip.Path != path) faults.Enqueue($"{path} is not found");
                    if (answer.DistinctBy(match => (match.Clip.Path, match.Clip.Span)).Count() < answer.Count) faults.Enqueue("a clip twice");
                }
            }
        }));
        var all = new ClipShards(store);
        all.Add(Shard(2));
        Assert.InRange(all.ToMove(), 1, long.MaxValue);
        var moved = all.Move();
        Assert.InRange(moved, Videos / 6, long.MaxValue);
        all.Remove(all.List()[0].Name);
        all.Move();
        await end.CancelAsync();
        await Task.WhenAll(writers);
        Assert.Empty(faults.Distinct());
        all.Move();
        Assert.Equal(2, all.List().Count);
        Assert.Equal(0, all.ToMove());
        Assert.Empty(store.Verify());
        Assert.All(store.Videos(collection), video => Assert.Equal(ClipsEach, store.Clips(collection, video).Count));
        Assert.Equal("", servers.All[0].Ask(shards[0], "SELECT coalesce(to_regnamespace('mvadapter_shard')::text, '')"));
        foreach (var name in all.List().Select(shard => shard.Name)) all.Remove(name);
        all.Move();
        Assert.Empty(all.List());
        Assert.Empty(store.Verify());
        Assert.Equal(still[0].Path, store.Search(collection, still[0].Vector, 1)[0][0].Clip.Path);
    }

    [Fact]
    public async Task A_shard_fails_over_to_its_replica_under_writers_and_keeps_what_it_had_confirmed()
    {
        using var primary = new PostgresServer();
        var name = primary.NewDatabase();
        var port = primary.Follow();
        var own = new Uri(primary.Address(name));
        using var store = Open();
        var all = new ClipShards(store);
        all.Add($"postgres://{own.UserInfo}@127.0.0.1:{own.Port},127.0.0.1:{port}/{name}");
        all.Add(Shard(1));
        var collection = Fill(store);
        using var end = new CancellationTokenSource();
        var confirmed = new ConcurrentDictionary<int, bool>();
        var next = Videos - 1;
        var writers = Enumerable.Range(0, 3).Select(_ => Task.Run(() =>
        {
            using var writer = ClipStore.Open(Address, StoreAccess.Write);
            while (!end.IsCancellationRequested)
            {
                var i = Interlocked.Increment(ref next);
                // As a worker does, whose job comes back.
                while (true)
                {
                    try
                    {
                        Write(writer, collection, i);
                        break;
                    }
                    catch (MvAdapterException) when (!end.IsCancellationRequested)
                    {
                        Thread.Sleep(100);
                    }
                }
                confirmed[i] = true;
            }
        })).ToList();
        Assert.True(SpinWait.SpinUntil(() => confirmed.Count > 100, TimeSpan.FromSeconds(60)));
        primary.Kill();
        Assert.Contains(all.List(), shard => !shard.Answers);
        primary.Promote();
        var before = confirmed.Count;
        Assert.True(SpinWait.SpinUntil(() => confirmed.Count > before + 100, TimeSpan.FromSeconds(60)));
        await end.CancelAsync();
        try { await Task.WhenAll(writers); } catch (MvAdapterException) { }   // stopped while it tried again
        all.Move();
        Assert.Empty(store.Verify());
        var found = store.Videos(collection).ToDictionary(video => video.Entry.Path);
        Assert.All(confirmed.Keys, i => Assert.Equal(ClipsEach, store.Clips(collection, found[$"/{i}.mp4"]).Count));
        var answer = store.Search(collection, Vector(confirmed.Keys.Max()), 10_000, exact: true)[0];
        Assert.Empty(answer.Missing);
        Assert.Equal(answer.Count, answer.Select(match => match.Clip.Id).Distinct().Count());
        Assert.Equal(store.Info(collection).Clips, answer.Count);
    }

    [Fact]
    public void What_a_transaction_broken_off_between_two_servers_leaves_is_not_seen_and_goes()
    {
        using var store = Open(0, 1, 2);
        var collection = Fill(store);
        // The shard has committed, the first server has not.
        servers.All[1].Execute(shards[1], """
            INSERT INTO mvadapter_shard.videos SELECT id + 1000000, collection, path || '.lost', modified, duration, tags FROM mvadapter_shard.videos;
            INSERT INTO mvadapter_shard.clips SELECT id + 1000000, collection, video + 1000000, start, "end", vector FROM mvadapter_shard.clips
            """);
        Assert.Equal(Videos * ClipsEach, store.Search(collection, Vector(0), 10_000)[0].Count);
        Assert.Contains("keeps", Assert.Single(store.Verify()), StringComparison.Ordinal);
        new ClipShards(store).Move();
        Assert.Empty(store.Verify());
        // A replica that lagged behind has not what was confirmed.
        servers.All[2].Execute(shards[2], "DELETE FROM mvadapter_shard.videos WHERE id = (SELECT min(id) FROM mvadapter_shard.videos)");
        var fault = Assert.Single(store.Verify());
        var path = Assert.Single(new ClipShards(store).Repair());
        Assert.Contains(path, fault, StringComparison.Ordinal);
        Assert.Empty(store.Verify());
        Assert.Null(store.FindVideo(collection, path));
    }

    [Fact]
    public void What_cannot_be_a_shard_is_refused_in_one_line_and_changes_nothing()
    {
        using var store = Open(0);
        Fill(store);
        var all = new ClipShards(store);
        Refuses("is a shard of this index already", Shard(0));
        Refuses("is a shard of this index already, as", Shard(0).Replace("127.0.0.1", "localhost", StringComparison.Ordinal));
        Refuses("has an index of its own", Address);
        Refuses("a shard is named by an address", "/data/index.db");
        Refuses("one of its servers fails", servers.All[1].Address("nowhere"));
        var second = servers.All[0].NewDatabase();
        using (var other = ClipStore.Open(servers.All[0].Address(second), StoreAccess.Create))
        {
            new ClipShards(other).Add(Shard(1));
            Refuses("is a shard of another index", Shard(1));
        }
        Assert.Contains("is no shard of this index", Assert.Throws<UsageException>(() => all.Remove("postgres://nobody@nowhere/x")).Message, StringComparison.Ordinal);
        Assert.Single(all.List());
        Assert.Empty(store.Verify());

        void Refuses(string reason, string address)
        {
            var message = Assert.ThrowsAny<MvAdapterException>(() => all.Add(address)).Message;
            Assert.Contains(reason, message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }
    }

    private ClipStore Open(params int[] numbers)
    {
        var store = ClipStore.Open(Address, StoreAccess.Create);
        foreach (var number in numbers) new ClipShards(store).Add(Shard(number));
        return store;
    }

    private static int Number(ClipStore store, long video) => ((PostgresStore)store).Database.Run(session => (int)session.Number("SELECT shard FROM mvadapter.videos WHERE id = $1", video)!.Value);

    private static ClipCollection Fill(ClipStore store)
    {
        var collection = store.AddCollection(RandomClips.Model());
        for (var i = 0; i < Videos; i++) Write(store, collection, i);
        return collection;
    }

    private static void Write(ClipStore store, ClipCollection collection, int i) => store.ReplaceVideo(collection,
        RandomClips.Entry($"/{i}.mp4") with { Tags = i % 2 == 0 ? ["even"] : [] }, RandomClips.Spans(ClipsEach), RandomClips.Vectors(new Random(1000 + i), ClipsEach));

    // The first clip's.
    private static ClipVectors Vector(int i) => new(RandomClips.Identity, RandomClips.Width, RandomClips.Vectors(new Random(1000 + i), ClipsEach)[0]);

    private static IEnumerable<IEnumerable<(string, double, float)>> Found(IEnumerable<ClipAnswer> answers) =>
        answers.Select(answer => answer.Select(match => (match.Clip.Path, match.Clip.Span.Start, match.Score)));
}
