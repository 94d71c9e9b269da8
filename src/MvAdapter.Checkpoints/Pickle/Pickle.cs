using System.Numerics;
using MvAdapter.Files;

namespace MvAdapter.Checkpoints;

/// <summary>
/// Reads Python pickles of protocols 0 to 5 without running anything that they name. Values become string, long
/// (or BigInteger), double, bool, null, byte[], List&lt;object?&gt;, object?[] for tuples,
/// Dictionary&lt;object, object?&gt; and HashSet&lt;object&gt;.
/// </summary>
public static class Pickle
{
    private const int MaxFileBytes = 1 << 29;

    /// <summary>Reads a pickle file of plain values: texts, numbers, and the containers of them named above.</summary>
    /// <exception cref="InvalidFileException">The file is missing, malformed, or names anything else.</exception>
    public static object? ReadFile(string path) => ReadFile(path, PickleGlobals.Containers());

    /// <summary>Reads a pickle file.</summary>
    /// <exception cref="InvalidFileException">The file is missing, malformed, or names a global off the list.</exception>
    internal static object? ReadFile(string path, PickleGlobals globals)
    {
        using var handle = InputFile.Open(path);
        var length = RandomAccess.GetLength(handle);
        if (length > MaxFileBytes) throw new InvalidFileException(path, $"is larger than {MaxFileBytes >> 20} MB, too large for a pickle");
        return Read(InputFile.ReadBytes(handle, path, 0, (int)length), path, globals);
    }

    /// <summary>Reads a pickle that lies in memory; <paramref name="path"/> is the file that messages name.</summary>
    /// <param name="data">The pickle.</param>
    /// <param name="path">The file it came from.</param>
    /// <param name="globals">The names it may mention.</param>
    /// <param name="persistent">What stands for an object kept outside the pickle, by its id; null refuses those.</param>
    internal static object? Read(ReadOnlyMemory<byte> data, string path, PickleGlobals globals, Func<object?, object?>? persistent = null) =>
        Guard(path, new PickleReader(data, globals, persistent).Read);

    /// <summary>Runs what looks into a pickle, and adds the file's name to its complaints.</summary>
    internal static T Guard<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (PickleException exception)
        {
            throw new InvalidFileException(path, exception.Message, exception);
        }
    }

    /// <summary>A dictionary key or set member: only plain values can be compared safely.</summary>
    internal static object Key(object? value) => value is string or long or double or bool or BigInteger
        ? value
        : throw new PickleException("it has a dictionary key or set member that is neither text nor a number");
}
