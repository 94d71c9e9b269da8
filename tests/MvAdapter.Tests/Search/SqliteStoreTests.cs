using MvAdapter.Search;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Search;

/// <summary>The store in a SQLite file, and what else a file may be.</summary>
public sealed class SqliteStoreTests : ClipStoreTests, IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Index => folder.File("index.db");

    public void Dispose() => folder.Dispose();

    protected override ClipStore Open() => ClipStore.Open(Index, StoreAccess.Create);

    protected override void Clear()
    {
        foreach (var file in Directory.EnumerateFiles(folder.Path)) File.Delete(file);
    }

    [Fact]
    public void A_file_that_is_no_index_is_refused_in_one_line()
    {
        Refuses(folder.File("absent.db"), "there is no such index");
        Refuses(folder.Path, "is a folder");
        Refuses(folder.Write("text.db", string.Concat(Enumerable.Repeat("not a database ", 100))), "not a SQLite file");
        Refuses(folder.Write("empty.db", ""), "is empty");
        using (var foreign = SqliteDatabase.Open(folder.File("foreign.db"), StoreAccess.Create)) foreign.Execute("CREATE TABLE notes (text)");
        Refuses(folder.File("foreign.db"), "no index of this program");
        Refuses(folder.File("foreign.db"), "no index of this program", StoreAccess.Create);
        Refuses(folder.File("absent/index.db"), "its folder does not exist", StoreAccess.Create);
    }

    [Fact]
    public void A_newer_schema_is_refused()
    {
        Fill(1);
        using (var database = SqliteDatabase.Open(Index, StoreAccess.Write)) database.Execute("PRAGMA user_version = 99");
        Refuses(Index, "made by a newer version");
        Refuses(Index, "made by a newer version", StoreAccess.Create);
    }

    [Fact]
    public void A_cut_off_file_is_refused_wherever_it_is_cut()
    {
        Fill(200);
        var whole = File.ReadAllBytes(Index);
        foreach (var part in new[] { 0.05, 0.3, 0.7, 0.99 })
        {
            var cut = folder.Write("cut.db", whole[..(int)(whole.Length * part)]);
            var message = Assert.Throws<InvalidFileException>(() =>
            {
                using var store = ClipStore.Open(cut);
                if (store.Verify() is [var first, ..]) throw new InvalidFileException(cut, first);
            }).Message;
            Assert.Contains("damaged", message, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', message);
        }
    }

    [Fact]
    public void Hostile_files_give_nothing_but_a_clear_line()
    {
        Fill(20);
        HostileInput.Check(File.ReadAllBytes(Index), path =>
        {
            using var store = ClipStore.Open(path);
            foreach (var collection in store.Collections())
            {
                _ = store.Videos(collection).Take(5).SelectMany(video => store.Clips(collection, video)).Count();
                if (collection.Model.Width == RandomClips.Width && collection.Model.Identity == RandomClips.Identity)
                    store.Search(collection, RandomClips.Vectors(new Random(1), 1), 3);
            }
            _ = store.Verify();
        }, cases: 150);
    }

    [Fact]
    public void Verify_names_each_fault()
    {
        Fill(3);
        using (var database = SqliteDatabase.Open(Index, StoreAccess.Write))
        {
            database.Execute("UPDATE clips SET vector = zeroblob(length(vector)) WHERE id = 1");
            database.Execute("INSERT INTO clips (video, start, \"end\", vector) SELECT video, start, \"end\", vector FROM clips WHERE id = 2");
            database.Execute("PRAGMA foreign_keys = OFF; DELETE FROM videos WHERE id = 3");
        }
        using var store = Open();
        var faults = store.Verify();
        Assert.Contains(faults, fault => fault.StartsWith("a clip of no video", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.StartsWith("a clip twice: /1.mp4", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Contains("length 0 instead of 1", StringComparison.Ordinal));
        Assert.Equal(3, faults.Count);
    }

    [Fact]
    public void On_a_disk_that_cannot_be_written_an_index_can_be_asked()
    {
        using var disk = SmallDisk.Mount(folder.File("disk"), 8);
        var path = Path.Combine(disk.Path, "index.db");
        Fill(3, path);
        disk.ForbidWriting();
        Refuses(path, "may be read and written", StoreAccess.Write);
        using var store = ClipStore.Open(path);
        Assert.Equal(3, store.Search(store.Collections()[0], RandomClips.Vectors(new Random(1), 1), 10)[0].Count);
    }

    private void Fill(int videos, string? path = null)
    {
        using var store = ClipStore.Open(path ?? Index, StoreAccess.Create);
        var collection = store.AddCollection(RandomClips.Model());
        for (var i = 0; i < videos; i++) store.ReplaceVideo(collection, RandomClips.Entry($"/{i}.mp4"), RandomClips.Spans(1), RandomClips.Vectors(new Random(i), 1));
    }

    private static void Refuses(string path, string reason, StoreAccess access = StoreAccess.Read)
    {
        var message = Assert.ThrowsAny<MvAdapterException>(() => ClipStore.Open(path, access).Dispose()).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }
}
