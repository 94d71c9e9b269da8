using System.IO.Hashing;
using System.Numerics.Tensors;
using System.Text.Json;
using MvAdapter.Files;

namespace MvAdapter.Search;

/// <summary>What is remembered of a graph's file, in a file beside it that names it: whoever writes a new one names it last.</summary>
/// <param name="File">The graph's file.</param>
/// <param name="Model">The model of its vectors.</param>
/// <param name="Width">Numbers of a vector.</param>
/// <param name="Revision">The last change of the index that is in it; what came later is looked at one by one.</param>
/// <param name="LastClip">The last clip that is in it.</param>
/// <param name="IsWhole">Whether all clips up to it are; else whoever built it was stopped, and goes on.</param>
/// <param name="Size">Bytes of the file.</param>
/// <param name="Sample">A hash of parts of it, which is looked at whenever it is opened.</param>
/// <param name="Hash">A hash of all of it.</param>
internal sealed record ClipGraphNote(string File, string Model, int Width, long Revision, long LastClip, bool IsWhole, long Size, string Sample, string Hash)
{
    private const int Parts = 64;
    private const int PartBytes = 1 << 16;
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The folder of an index's graphs.</summary>
    public static string Folder(string index) => index + ".graph";

    /// <summary>The note of a collection's graph, or of one that is being built.</summary>
    public static string PathOf(string index, ClipCollection collection, bool whole = true) => Path.Combine(Folder(index), $"collection-{collection.Id}{(whole ? "" : ".part")}.json");

    /// <summary>Reads a note; null where there is none, or none of this collection.</summary>
    public static ClipGraphNote? Read(string index, ClipCollection collection, bool whole = true)
    {
        try
        {
            var path = PathOf(index, collection, whole);
            var note = System.IO.File.Exists(path) ? JsonSerializer.Deserialize<ClipGraphNote>(System.IO.File.ReadAllBytes(path), Json) : null;
            return note is not null && (note.Model, note.Width) == (collection.Model.Identity.ToString(), collection.Model.Width) && note.File == Path.GetFileName(note.File) ? note : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;   // as if there were none: it is made again
        }
    }

    /// <summary>Writes it.</summary>
    public void Write(string index, ClipCollection collection) => AtomicFile.WriteText(PathOf(index, collection, IsWhole), JsonSerializer.Serialize(this, Json));

    /// <summary>The graph's file.</summary>
    public string PathIn(string index) => Path.Combine(Folder(index), File);

    /// <summary>Whether the file is the one that was written, as far as its size and parts of it tell; a damaged graph could lead anywhere.</summary>
    public bool Fits(string index)
    {
        try
        {
            var path = PathIn(index);
            return new FileInfo(path) is { Exists: true } file && file.Length == Size && SampleOf(path) == Sample;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>When the note of a collection was written; null where there is none.</summary>
    public static DateTime? Written(string index, ClipCollection collection) =>
        new FileInfo(PathOf(index, collection)) is { Exists: true } note ? note.LastWriteTimeUtc : null;

    /// <summary>Deletes what there is of a collection that is removed.</summary>
    public static void Delete(string index, ClipCollection collection)
    {
        if (!Directory.Exists(Folder(index))) return;
        foreach (var file in Directory.EnumerateFiles(Folder(index), $"collection-{collection.Id}*").Where(file => !char.IsAsciiDigit(Path.GetFileName(file)[$"collection-{collection.Id}".Length])))
            System.IO.File.Delete(file);
    }

    /// <summary>Whether the file is byte for byte what was written.</summary>
    public bool IsSound(string index) => Fits(index) && HashOf(PathIn(index)) == Hash;

    /// <summary>A hash of parts spread over a file.</summary>
    public static string SampleOf(string path)
    {
        using var file = System.IO.File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        var hash = new XxHash128();
        var part = new byte[PartBytes];
        for (var i = 0; i < Parts; i++) hash.Append(part.AsSpan(0, RandomAccess.Read(file, part, (long)((double)Math.Max(0, length - PartBytes) * i / (Parts - 1)))));
        return Convert.ToHexString(hash.GetCurrentHash());
    }

    /// <summary>A hash of a whole file.</summary>
    public static string HashOf(string path)
    {
        using var file = System.IO.File.OpenRead(path);
        var hash = new XxHash128();
        hash.Append(file);
        return Convert.ToHexString(hash.GetCurrentHash());
    }
}

/// <summary>
/// The clips of a collection as a graph in which each knows some of its nearest (HNSW, arXiv 1603.09320), mapped from a file: a query looks at
/// some thousands of them. What it finds are candidates, which are scored again by the index's own vectors. The index is the truth; the
/// graph may lag behind, and may be deleted at any time.
/// </summary>
internal sealed class ClipGraph : IDisposable
{
    private const int LeastExplored = 400;   // recall above 0.95 at a million clips, see docs/performance.md
    private readonly Usearch graph;

    private ClipGraph(ClipGraphNote note, DateTime? written, Usearch graph) => (Note, Written, this.graph) = (note, written, graph);

    /// <summary>When its note was written: another is there when that changes.</summary>
    public DateTime? Written { get; }

    /// <summary>What is remembered of it.</summary>
    public ClipGraphNote Note { get; }

    /// <summary>Opens a collection's graph; null where there is none that can be used.</summary>
    public static ClipGraph? TryOpen(string index, ClipCollection collection)
    {
        var written = ClipGraphNote.Written(index, collection);
        if (!Usearch.IsThere || ClipGraphNote.Read(index, collection) is not { IsWhole: true } note || !note.Fits(index)) return null;
        var graph = Usearch.Create(note.Width, ClipGraphBuilder.Connectivity, ClipGraphBuilder.Expansion);
        try
        {
            graph.View(note.PathIn(index));
            return new ClipGraph(note, written, graph);
        }
        catch (MvAdapterException)
        {
            graph.Dispose();
            return null;
        }
    }

    /// <summary>Clips that are near a query, the nearest first as far as 8 bits tell; some may have gone.</summary>
    public long[] Nearest(ReadOnlySpan<float> query, int count, ulong[]? allowed)
    {
        var codes = new sbyte[query.Length];
        Quantize(query, codes);
        graph.Expand(Math.Max(LeastExplored, count));
        return graph.Search(codes, count, allowed);
    }

    /// <summary>A vector's direction in 8 bits a number, the largest being 127.</summary>
    public static void Quantize(ReadOnlySpan<float> vector, Span<sbyte> codes)
    {
        var scale = 127 / Math.Abs(TensorPrimitives.MaxMagnitude(vector));   // a vector of the index has length 1
        for (var i = 0; i < codes.Length; i++) codes[i] = (sbyte)MathF.Round(vector[i] * scale);
    }

    /// <inheritdoc/>
    public void Dispose() => graph.Dispose();
}
