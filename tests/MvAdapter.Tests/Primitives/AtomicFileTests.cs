using MvAdapter.Files;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_failure_midway_leaves_the_old_file_and_nothing_else()
    {
        var path = folder.Write("report.json", "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.WriteByte(1);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void An_existing_file_is_replaced_whole()
    {
        var path = folder.Write("report.json", "a longer text than the new one");
        AtomicFile.WriteText(path, "new");
        Assert.Equal("new", File.ReadAllText(path));
        Assert.Single(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void A_link_stays_a_link()
    {
        var target = folder.Write("target", "old");
        File.CreateSymbolicLink(folder.File("link"), target);
        AtomicFile.WriteText(folder.File("link"), "new");
        Assert.Equal("new", File.ReadAllText(target));
        Assert.NotNull(new FileInfo(folder.File("link")).LinkTarget);
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        var exception = Assert.Throws<MvAdapterException>(() => AtomicFile.WriteText(Path.Combine(folder.File("missing"), "file"), ""));
        Assert.Equal($"folder {folder.File("missing")} does not exist; create it or choose another --output", exception.Message);
    }

    [Fact]
    public void A_folder_is_not_written_over() =>
        Assert.Throws<InvalidFileException>(() => AtomicFile.WriteText(folder.Path, ""));

    [Fact]
    public void A_full_disk_is_one_line()
    {
        if (!File.Exists("/dev/full")) return;
        var exception = Assert.Throws<InvalidFileException>(() => AtomicFile.WriteText("/dev/full", "text"));
        Assert.Contains("cannot be written", exception.Message, StringComparison.Ordinal);
    }
}
