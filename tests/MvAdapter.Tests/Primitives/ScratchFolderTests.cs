using MvAdapter.Files;

namespace MvAdapter.Tests.Files;

public sealed class ScratchFolderTests
{
    private readonly string kind = $"mvadapter-scratch-{Guid.NewGuid():N}";

    [Fact]
    public void It_goes_with_all_that_is_in_it()
    {
        using var folder = new ScratchFolder(kind);
        var file = folder.NextFile(".mp4");
        File.WriteAllText(file, "x");
        Assert.EndsWith(".mp4", file, StringComparison.Ordinal);
        Assert.Equal([file], folder.Files());
        Directory.CreateDirectory(Path.Combine(folder.Path, "inner"));
        folder.Dispose();
        Assert.False(Directory.Exists(folder.Path));
        folder.Dispose();
    }

    [Fact]
    public void What_a_killed_process_has_left_goes_with_the_next_one()
    {
        var abandoned = Directory.CreateTempSubdirectory(kind + "-").FullName;
        File.WriteAllText(Path.Combine(abandoned, "in-use"), "");
        File.WriteAllText(Path.Combine(abandoned, "video"), "x");
        File.SetLastWriteTimeUtc(Path.Combine(abandoned, "in-use"), DateTime.UtcNow.AddMinutes(-2));
        using var folder = new ScratchFolder(kind);
        Assert.False(Directory.Exists(abandoned));
    }

    [Fact]
    public void What_is_in_use_or_just_made_or_no_folder_of_ours_stays()
    {
        using var used = new ScratchFolder(kind);
        File.SetLastWriteTimeUtc(Path.Combine(used.Path, "in-use"), DateTime.UtcNow.AddMinutes(-2));
        var young = Directory.CreateTempSubdirectory(kind + "-").FullName;
        File.WriteAllText(Path.Combine(young, "in-use"), "");
        var other = Directory.CreateTempSubdirectory(kind + "-").FullName;
        using var folder = new ScratchFolder(kind);
        foreach (var stays in new[] { used.Path, young, other }) Assert.True(Directory.Exists(stays), stays);
        Directory.Delete(young, recursive: true);
        Directory.Delete(other);
    }
}
