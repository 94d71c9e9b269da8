namespace MvAdapter.Tests.Support;

/// <summary>
/// Where the numbers of the published code lie. The folder named by MVADAPTER_FIXTURES alone, when it is set;
/// else, item by item, tests/fixtures in the repository, then shared/fixtures beside the repository.
/// </summary>
public static class Fixtures
{
    /// <summary>The repository's root: the folder of the solution.</summary>
    public static string Repository { get; } = FindRepository();

    private static string? Named => Environment.GetEnvironmentVariable("MVADAPTER_FIXTURES") is { Length: > 0 } folder
        ? Path.GetFullPath(folder, Repository)
        : null;

    private static string Shared(string part) => Path.Combine(Repository, "..", "shared", part);

    private static IEnumerable<string> Roots =>
        Named is { } named ? [named] : [Path.Combine(Repository, "tests", "fixtures"), Shared("fixtures")];

    /// <summary>The path of an item (a file or folder, "/"-separated), or null when no root has it.</summary>
    public static string? TryFind(string item) =>
        Roots.Select(root => Path.Combine(root, item)).FirstOrDefault(Path.Exists);

    /// <summary>The path of an item; the test is skipped where it is absent.</summary>
    public static string Find(string item)
    {
        var path = TryFind(item);
        Assert.SkipWhen(path is null, $"fixture {item} is in none of: {string.Join(", ", Roots)}");
        return path!;
    }

    /// <summary>A real clip such as video7348.mp4; the test is skipped where it is absent.</summary>
    public static string Clip(string name) =>
        FirstOf($"clip {name}", Roots.Select(root => Path.Combine(root, "video", name))
            .Append(Path.Combine(Shared("data"), "msrvtt", "videos", name)));

    /// <summary>A file under shared/data; the test is skipped where it is absent.</summary>
    public static string Data(string item) => FirstOf($"data {item}", [Path.Combine(Shared("data"), item)]);

    /// <summary>CLIP's vocabulary; the test is skipped where it is absent.</summary>
    public static string Vocabulary
    {
        get
        {
            const string name = "bpe_simple_vocab_16e6.txt.gz";
            return FirstOf("vocabulary", Roots.Append(Shared("fixtures")).Select(root => Path.Combine(root, name)));
        }
    }

    /// <summary>The names below a fixture folder, or one placeholder that makes its test skip.</summary>
    public static TheoryData<string> Names(string folder, string pattern = "*")
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        if (TryFind(folder) is { } path)
            foreach (var entry in Directory.EnumerateFileSystemEntries(path, pattern)) names.Add(Path.GetFileName(entry));
        var data = new TheoryData<string>();
        foreach (var name in names.DefaultIfEmpty("absent")) data.Add(name);
        return data;
    }

    private static string FirstOf(string what, IEnumerable<string> candidates)
    {
        var all = candidates.ToList();
        var path = all.FirstOrDefault(File.Exists);
        Assert.SkipWhen(path is null, $"{what} is in none of: {string.Join(", ", all)}");
        return path!;
    }

    private static string FindRepository()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "MvAdapter.slnx"))) return folder;
        throw new InvalidOperationException("the tests run outside the repository");
    }
}
