using System.IO.Hashing;
using System.Text.Json;
using MvAdapter.Files;

namespace MvAdapter.Search;

/// <summary>A file of an approximate index, and what tells whether it is as it was written.</summary>
/// <param name="File">Its name.</param>
/// <param name="Clips">Clips that are in it, those that have gone included.</param>
/// <param name="Size">Its bytes.</param>
/// <param name="Sample">A hash of parts of it, which is looked at whenever it is opened.</param>
/// <param name="Hash">A hash of all of it.</param>
internal sealed record ApproximateIndexFile(string File, long Clips, long Size, string Sample, string Hash)
{
    private const int Parts = 8;
    private const int PartBytes = 1 << 16;

    /// <summary>A new name.</summary>
    public static string Name(ClipCollection collection, string ending) => $"collection-{collection.Id}-{Guid.NewGuid():N}{ending}";

    /// <summary>Of a file that has been written; it is on the disk then.</summary>
    public static ApproximateIndexFile Written(string folder, string name, long clips)
    {
        var path = Path.Combine(folder, name);
        // What names it must not reach the disk before it.
        using (var written = new FileStream(path, FileMode.Open)) written.Flush(flushToDisk: true);
        return new ApproximateIndexFile(name, clips, new FileInfo(path).Length, SampleOf(path), HashOf(path));
    }

    /// <summary>Whether it is the one that was written, as far as its size and parts of it tell.</summary>
    public bool Fits(string folder) => File is not null && File == Path.GetFileName(File) && Is(folder, path => new FileInfo(path) is { Exists: true } file && file.Length == Size && SampleOf(path) == Sample);

    /// <summary>Whether it is byte for byte what was written.</summary>
    public bool IsSound(string folder) => Fits(folder) && Is(folder, path => HashOf(path) == Hash);

    private bool Is(string folder, Func<string, bool> what)
    {
        try
        {
            return what(Path.Combine(folder, File));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string SampleOf(string path)
    {
        using var file = System.IO.File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        var hash = new XxHash128();
        var part = new byte[PartBytes];
        for (var i = 0; i < Parts; i++) hash.Append(part.AsSpan(0, RandomAccess.Read(file, part, (long)((double)Math.Max(0, length - PartBytes) * i / (Parts - 1)))));
        return Convert.ToHexString(hash.GetCurrentHash());
    }

    private static string HashOf(string path)
    {
        using var file = System.IO.File.OpenRead(path);
        var hash = new XxHash128();
        hash.Append(file);
        return Convert.ToHexString(hash.GetCurrentHash());
    }
}

/// <summary>What is remembered of a collection's approximate index, in a file beside its files that names them: whoever writes new ones names them last.</summary>
/// <param name="Model">The model of its vectors.</param>
/// <param name="Width">Numbers of a vector.</param>
/// <param name="Revision">The last change of the index that is in it; what came later is looked at one by one.</param>
/// <param name="Centres">The centres of the cells (<see cref="ClipCells"/>).</param>
/// <param name="Files">The clips (<see cref="CellsFile"/>).</param>
/// <param name="Last">The last clip that was taken in: all that came before it are in, since numbers grow and are never used twice.</param>
/// <param name="IsWhole">Whether it is whole; else whoever built it was stopped, and goes on.</param>
internal sealed record ApproximateIndexNote(string Model, int Width, long Revision, ApproximateIndexFile Centres, IReadOnlyList<ApproximateIndexFile> Files, long Last = 0, bool IsWhole = false)
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Clips that are in it, those that have gone included.</summary>
    public long Clips => Files.Sum(file => file.Clips);

    /// <summary>The folder beside an index.</summary>
    public static string Folder(string index) => index + ".approximate";

    /// <summary>A collection's note, or that of what is being built.</summary>
    public static string PathOf(string index, ClipCollection collection, bool whole = true) => Path.Combine(Folder(index), $"collection-{collection.Id}{(whole ? "" : ".part")}.json");

    private IEnumerable<ApproximateIndexFile> Named => Files.Prepend(Centres);

    /// <summary>Reads a note; null where there is none, or none of this collection.</summary>
    public static ApproximateIndexNote? Read(string index, ClipCollection collection, bool whole = true)
    {
        try
        {
            var path = PathOf(index, collection, whole);
            var note = File.Exists(path) ? JsonSerializer.Deserialize<ApproximateIndexNote>(File.ReadAllBytes(path), Json) : null;
            return note is { Files: not null, Centres: not null } && note.IsWhole == whole && (note.Model, note.Width) == (collection.Model.Identity.ToString(), collection.Model.Width) ? note : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;   // as if there were none: it is made again
        }
    }

    /// <summary>Writes it.</summary>
    public void Write(string index, ClipCollection collection) => AtomicFile.WriteText(PathOf(index, collection, IsWhole), JsonSerializer.Serialize(this, Json));

    /// <summary>The cells; null where the file has none of this width.</summary>
    public ClipCells? Cells(string index)
    {
        try
        {
            return ClipCells.FromBytes(File.ReadAllBytes(Path.Combine(Folder(index), Centres.File)), Width);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether the files are those that were written, as far as their sizes and parts of them tell.</summary>
    public bool Fits(string index) => Named.All(file => file.Fits(Folder(index)));

    /// <summary>Whether the files are byte for byte what was written.</summary>
    public bool IsSound(string index) => Named.All(file => file.IsSound(Folder(index)));

    /// <summary>When the note of a collection was written; null where there is none.</summary>
    public static DateTime? WhenWritten(string index, ClipCollection collection) =>
        new FileInfo(PathOf(index, collection)) is { Exists: true } note ? note.LastWriteTimeUtc : null;

    /// <summary>Deletes what there is of a collection that is removed.</summary>
    public static void Delete(string index, ClipCollection collection) => DeleteIn(Folder(index), collection);

    /// <summary>Deletes the graphs that earlier versions made for a collection, which nothing reads any more.</summary>
    public static void DeleteGraphs(string index, ClipCollection collection)
    {
        var folder = index + ".graph";
        DeleteIn(folder, collection);
        if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
    }

    private static void DeleteIn(string folder, ClipCollection collection)
    {
        if (!Directory.Exists(folder)) return;
        foreach (var file in Directory.EnumerateFiles(folder, $"collection-{collection.Id}*").Where(file => !char.IsAsciiDigit(Path.GetFileName(file)[$"collection-{collection.Id}".Length])))
            File.Delete(file);
    }

    /// <summary>Deletes the files that neither of a collection's notes names.</summary>
    public static void DeleteUnnamed(string index, ClipCollection collection)
    {
        var named = new[] { Read(index, collection), Read(index, collection, whole: false) }.OfType<ApproximateIndexNote>().SelectMany(note => note.Named).Select(file => file.File).ToHashSet();
        foreach (var file in Directory.EnumerateFiles(Folder(index), $"collection-{collection.Id}-*"))
            if (!named.Contains(Path.GetFileName(file))) File.Delete(file);
    }
}
