using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

public sealed class VideoFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("clip", "x/y/clip.MKV")]
    [InlineData("clip.mkv", "x/y/clip.MKV")]
    [InlineData("clip.avi", "x/y/clip.MKV")]
    [InlineData("x/y/clip", "x/y/clip.MKV")]
    [InlineData("a.b.c", "a.b.c.mp4")]
    [InlineData("1@N.m4v", "1@N.m4v.mp4")]
    [InlineData("upload.", "upload.mp4")]
    [InlineData("film/one", "film/one.mp4")]
    [InlineData("note", null)]
    [InlineData("Clip", null)]
    [InlineData("a\0b", null)]
    public void Finds_by_path_name_or_stem(string name, string? expected)
    {
        foreach (var file in (string[])["x/y/clip.MKV", "a.b.c.mp4", "1@N.m4v.mp4", "upload.mp4", "film/one.mp4", "other/one.mp4", "note.txt"])
            folder.Write(file, "");

        var found = new VideoFolder(folder.Path).Find(name);

        Assert.Equal(expected, found is null ? null : Path.GetRelativePath(folder.Path, found));
    }

    [Fact]
    public void Follows_links_to_folders_once()
    {
        using var disk = new TemporaryFolder();
        disk.Write("far.mp4", "");
        Directory.CreateSymbolicLink(folder.File("linked"), disk.Path);
        Directory.CreateSymbolicLink(disk.File("circle"), folder.Path);
        folder.Write("near.mp4", "");

        var videos = new VideoFolder(folder.Path);

        Assert.NotNull(videos.Find("far"));
        Assert.NotNull(videos.Find("near"));
    }

    [Fact]
    public void A_folder_that_cannot_be_read_is_named()
    {
        var closed = new List<string>();
        Assert.Empty(VideoFolder.Walk(folder.File("absent"), closed.Add));
        Assert.Equal([folder.File("absent")], closed);
    }

    [Fact]
    public void Of_two_of_one_name_the_first_is_taken()
    {
        folder.Write("b/v.avi", "");
        folder.Write("a/v.mp4", "");
        Assert.Equal(Path.Combine(folder.Path, "a", "v.mp4"), new VideoFolder(folder.Path).Find("v"));
    }
}
