using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace MvAdapter.Search;

/// <summary>
/// Some of a collection's clips, cell by cell, mapped from a file: of each its number, and its vector in 8 bits a number with a scale. The file begins with
/// a mark, the bytes of a row and the number of cells, then tells the clips of each cell; a cell is its clips' numbers (int64), their scales
/// (float32), and from the next multiple of 64 bytes on their rows.
/// </summary>
internal sealed unsafe class CellsFile : IDisposable
{
    /// <summary>The ending of such a file.</summary>
    public const string Ending = ".cells";

    private const long Mark = 0x31534c4c45435643;   // "CVCELLS1"
    private const int Alignment = 64;
    private readonly MemoryMappedFile file;
    private readonly MemoryMappedViewAccessor view;
    private readonly byte* start;
    private readonly long[] places;

    private CellsFile(string path, int cells)
    {
        file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        places = new long[cells];
    }

    /// <summary>Opens a file of so many cells; null where it is none, or has gone: whoever builds replaces files.</summary>
    public static CellsFile? TryOpen(string path, int stride, int cells)
    {
        long length;
        CellsFile opened;
        try
        {
            length = new FileInfo(path).Length;
            if (length < HeaderBytes(cells)) return null;
            opened = new CellsFile(path, cells);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        var header = (long*)opened.start;
        var place = HeaderBytes(cells);
        var fits = header[0] == Mark && header[1] == stride && header[2] == cells;
        for (var cell = 0; cell < cells && fits; cell++)
        {
            opened.places[cell] = place;
            fits = header[3 + cell] is >= 0 and <= int.MaxValue && (place += CellBytes(header[3 + cell], stride)) <= length;
        }
        if (fits) return opened;
        opened.Dispose();
        return null;
    }

    /// <summary>How many clips a cell has.</summary>
    public int CountOf(int cell) => (int)((long*)start)[3 + cell];

    /// <summary>A cell's clips.</summary>
    public Cell this[int cell]
    {
        get
        {
            var count = CountOf(cell);
            var at = start + places[cell];
            return new Cell(count, (long*)at, (float*)(at + count * sizeof(long)), (sbyte*)(at + Aligned((sizeof(long) + sizeof(float)) * (long)count)));
        }
    }

    /// <summary>Writes a file.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="cells">How many cells there are.</param>
    /// <param name="clips">Each clip's number and cell, in the order of <paramref name="rows"/>.</param>
    /// <param name="rows">Their vectors.</param>
    public static void Write(string path, int cells, IReadOnlyList<(long Clip, int Cell)> clips, QuantizedMatrix rows)
    {
        var ofCells = new List<int>[cells];
        for (var row = 0; row < clips.Count; row++) (ofCells[clips[row].Cell] ??= []).Add(row);
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        file.Write(MemoryMarshal.AsBytes<long>([Mark, rows.Stride, cells, .. ofCells.Select(some => (long)(some?.Count ?? 0))]));
        Pad(file);
        foreach (var some in ofCells)
        {
            if (some is null) continue;
            file.Write(MemoryMarshal.AsBytes<long>([.. some.Select(row => clips[row].Clip)]));
            file.Write(MemoryMarshal.AsBytes<float>([.. some.Select(row => { rows.Row(row, out var scale); return scale; })]));
            Pad(file);
            foreach (var row in some) file.Write(MemoryMarshal.AsBytes(rows.Row(row, out _)));
        }
    }

    public void Dispose()
    {
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        file.Dispose();
    }

    private static long HeaderBytes(int cells) => Aligned((3 + (long)cells) * sizeof(long));

    private static long CellBytes(long count, int stride) => Aligned((sizeof(long) + sizeof(float)) * count) + count * stride;

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(FileStream file) => file.Write(new byte[Aligned(file.Position) - file.Position]);

    /// <summary>The clips of a cell.</summary>
    internal readonly struct Cell(int count, long* clips, float* scales, sbyte* codes)
    {
        /// <summary>How many.</summary>
        public int Count => count;

        /// <summary>Their numbers.</summary>
        public ReadOnlySpan<long> Clips => new(clips, count);

        /// <summary>What to multiply their codes by.</summary>
        public ReadOnlySpan<float> Scales => new(scales, count);

        /// <summary>Their rows.</summary>
        public sbyte* Codes => codes;
    }
}
