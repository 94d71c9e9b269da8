using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MvAdapter.Search;

/// <summary>A graph of vectors by USearch's C interface: that of its .NET package adds from one thread alone and has no filters.</summary>
internal sealed unsafe partial class Usearch : SafeHandleZeroOrMinusOneIsInvalid
{
    private const string Library = "usearch_c";
    private const int Cosine = 1;
    private const int Int8 = 4;

    /// <summary>Whether the library is there for this machine.</summary>
    public static bool IsThere { get; } = NativeLibrary.TryLoad(Library, typeof(Usearch).Assembly, null, out _);

    private Usearch(nint handle)
        : base(ownsHandle: true) => SetHandle(handle);

    /// <summary>How many vectors there are.</summary>
    public long Count => (long)Checked((nuint index, out nint error) => usearch_size(index, out error));

    /// <summary>An empty graph.</summary>
    /// <param name="width">Numbers of a vector.</param>
    /// <param name="connectivity">Neighbours of a vector (M of the paper).</param>
    /// <param name="expansion">Candidates for them (efConstruction).</param>
    public static Usearch Create(int width, int connectivity, int expansion)
    {
        var options = new Options { Metric = Cosine, Scalar = Int8, Dimensions = (nuint)width, Connectivity = (nuint)connectivity, ExpansionAdd = (nuint)expansion };
        var handle = usearch_init(in options, out var error);
        Throw(error);
        return new Usearch(handle);
    }

    /// <summary>Reads a file into memory.</summary>
    public void Load(string path) => Checked((nuint index, out nint error) => usearch_load(index, path, out error));

    /// <summary>Maps a file into memory; nothing can be added then.</summary>
    public void View(string path) => Checked((nuint index, out nint error) => usearch_view(index, path, out error));

    /// <summary>Writes a file.</summary>
    public void Save(string path) => Checked((nuint index, out nint error) => usearch_save(index, path, out error));

    /// <summary>Makes room for so many vectors in all, added by so many threads.</summary>
    public void Reserve(long count, int threads)
    {
        Checked((nuint index, out nint error) => usearch_change_threads_add(index, (nuint)threads, out error));
        Checked((nuint index, out nint error) => usearch_reserve(index, (nuint)count, out error));
    }

    /// <summary>Sets how many candidates a search keeps (ef).</summary>
    public void Expand(int expansion) => Checked((nuint index, out nint error) => usearch_change_expansion_search(index, (nuint)expansion, out error));

    /// <summary>Whether there is a vector of this key.</summary>
    public bool Contains(long key) => Checked((nuint index, out nint error) => usearch_contains(index, (ulong)key, out error));

    /// <summary>Adds a vector; safe for as many threads as were told.</summary>
    public void Add(long key, ReadOnlySpan<sbyte> vector)
    {
        fixed (sbyte* values = vector)
        {
            usearch_add((nuint)handle, (ulong)key, values, Int8, out var error);
            Throw(error);
        }
    }

    /// <summary>The keys nearest to a query with 1 less their cosine, the nearest first.</summary>
    /// <param name="query">The query.</param>
    /// <param name="count">How many at most.</param>
    /// <param name="allowed">Those that may be among them, a bit each; null for all.</param>
    public List<(long Key, float Distance)> Search(ReadOnlySpan<sbyte> query, int count, ulong[]? allowed = null)
    {
        var (keys, distances) = (new long[count], new float[count]);
        fixed (sbyte* values = query)
        fixed (long* found = keys)
        fixed (float* far = distances)
        fixed (ulong* bits = allowed)
        {
            nint error;
            var filter = new Filter { Bits = bits, Words = (ulong)(allowed?.Length ?? 0) };
            var number = allowed is null ? usearch_search((nuint)handle, values, Int8, (nuint)count, found, far, out error)
                : usearch_filtered_search((nuint)handle, values, Int8, (nuint)count, &Passes, &filter, found, far, out error);
            Throw(error);
            return [.. keys[..(int)number].Zip(distances)];
        }
    }

    protected override bool ReleaseHandle()
    {
        usearch_free((nuint)handle, out var error);
        return error == 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    private static int Passes(ulong key, void* state)
    {
        var filter = (Filter*)state;
        return key >> 6 < filter->Words && (filter->Bits[key >> 6] >> (int)(key & 63) & 1) != 0 ? 1 : 0;
    }

    private delegate T Call<out T>(nuint index, out nint error);

    private delegate void Call(nuint index, out nint error);

    private T Checked<T>(Call<T> call)
    {
        var result = call((nuint)handle, out var error);
        Throw(error);
        return result;
    }

    private void Checked(Call call)
    {
        call((nuint)handle, out var error);
        Throw(error);
    }

    private static void Throw(nint error)
    {
        if (error != 0) throw new MvAdapterException($"the approximate index gives an error: {TextForMessage.Quote(Marshal.PtrToStringUTF8(error) ?? "", 200)}");
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Options
    {
        public int Metric;
        public nint Function;
        public int Scalar;
        public nuint Dimensions;
        public nuint Connectivity;
        public nuint ExpansionAdd;
        public nuint ExpansionSearch;
        public byte Multi;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Filter
    {
        public ulong* Bits;
        public ulong Words;
    }

    [LibraryImport(Library)]
    private static partial nint usearch_init(in Options options, out nint error);

    [LibraryImport(Library)]
    private static partial void usearch_free(nuint index, out nint error);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial void usearch_load(nuint index, string path, out nint error);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial void usearch_view(nuint index, string path, out nint error);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial void usearch_save(nuint index, string path, out nint error);

    [LibraryImport(Library)]
    private static partial nuint usearch_size(nuint index, out nint error);

    [LibraryImport(Library)]
    private static partial void usearch_reserve(nuint index, nuint capacity, out nint error);

    [LibraryImport(Library)]
    private static partial void usearch_change_threads_add(nuint index, nuint threads, out nint error);

    [LibraryImport(Library)]
    private static partial void usearch_change_expansion_search(nuint index, nuint expansion, out nint error);

    [LibraryImport(Library)]
    [return: MarshalAs(UnmanagedType.U1)]
    private static partial bool usearch_contains(nuint index, ulong key, out nint error);

    [LibraryImport(Library)]
    private static partial void usearch_add(nuint index, ulong key, void* vector, int kind, out nint error);

    [LibraryImport(Library)]
    private static partial nuint usearch_search(nuint index, void* query, int kind, nuint count, long* keys, float* distances, out nint error);

    [LibraryImport(Library)]
    private static partial nuint usearch_filtered_search(nuint index, void* query, int kind, nuint count, delegate* unmanaged[Cdecl]<ulong, void*, int> filter, void* state, long* keys, float* distances, out nint error);
}
