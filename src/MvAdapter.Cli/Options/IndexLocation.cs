using System.CommandLine;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary>The option that says which index is meant, and where it is when nobody says.</summary>
internal sealed class IndexLocation
{
    private const string FileName = "videos.mvindex.db";

    private readonly Option<string?> index = new("--index")
    {
        Description = $"The index: a PostgreSQL database, or a file (by default ./{FileName} where there is one, else {FileName} in mvadapter/ of $XDG_DATA_HOME or ~/.local/share)",
        HelpName = "FILE.db|postgres://...",
    };

    /// <summary>Adds the option to a command.</summary>
    public IndexLocation(Command command) => command.Add(index);

    /// <summary>The index's address, for another process.</summary>
    public string Address(ParseResult parsed) => parsed.GetValue(index) is not { } named ? Default() : named.Contains("://", StringComparison.Ordinal) ? named : Path.GetFullPath(named);

    /// <summary>Opens the index.</summary>
    public ClipStore Open(ParseResult parsed, StoreAccess access)
    {
        var named = parsed.GetValue(index);
        var path = named ?? Default();
        if (named is null && access == StoreAccess.Create) Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        return ClipStore.Open(path, access);
    }

    private static string Default()
    {
        var here = Path.GetFullPath(FileName);
        return File.Exists(here) ? here
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "mvadapter", FileName);
    }
}
