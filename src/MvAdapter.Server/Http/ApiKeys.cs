using System.Security.Cryptography;
using System.Text;
using MvAdapter.Files;

namespace MvAdapter.Server;

/// <summary>
/// The keys that a server accepts. The file holds a line a key, a name and a SHA-256: a key is 256 random bits, which no
/// slow hash would make harder to guess. A change of the file counts from the next second on.
/// </summary>
public sealed class ApiKeys
{
    private const string Prefix = "mva_";
    private const int KeyBytes = 32;
    private const int LongestFile = 1 << 20;
    private readonly string path;
    private readonly Lock gate = new();
    private byte[][] hashes;
    private DateTime modified;
    private long looked = Environment.TickCount64;

    /// <summary>Reads a file of keys.</summary>
    /// <exception cref="InvalidFileException">It is missing, empty or malformed.</exception>
    public ApiKeys(string path)
    {
        this.path = path;
        modified = File.GetLastWriteTimeUtc(path);
        hashes = Read(path);
    }

    /// <summary>Makes a key, appends its hash to a file, which only the owner may read, and returns the key.</summary>
    /// <param name="path">The file; made when it is not there.</param>
    /// <param name="name">Whose key it is, to find its line again.</param>
    public static string Add(string path, string name)
    {
        if (name.Length is 0 or > 60 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.' or '@')))
            throw new UsageException("the key's name must have 1 to 60 letters, digits or . _ - @");
        if (File.Exists(path) && new FileInfo(path).Length > 0) Read(path);   // not after the lines of some other file
        var key = Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new StreamWriter(path, options);
        file.Write($"{name} {Convert.ToHexStringLower(Hash(key))}\n");
        return key;
    }

    /// <summary>Whether a key is one of the file's; takes as long whichever it is.</summary>
    public bool Accepts(string key)
    {
        var hash = Hash(key);
        var found = false;
        foreach (var known in Current()) found |= CryptographicOperations.FixedTimeEquals(hash, known);
        return found;
    }

    private byte[][] Current()
    {
        lock (gate)
        {
            if (Environment.TickCount64 - looked < 1000) return hashes;
            looked = Environment.TickCount64;
            var now = File.GetLastWriteTimeUtc(path);
            if (now == modified) return hashes;
            try
            {
                hashes = Read(path);
                modified = now;
            }
            catch (InvalidFileException)
            {
                // Someone may be writing it; and who damages it must not open or close the door.
            }
            return hashes;
        }
    }

    private static byte[][] Read(string path)
    {
        using var handle = InputFile.Open(path);
        if (RandomAccess.GetLength(handle) is var length && length > LongestFile)
            throw new InvalidFileException(path, "is too long to be a file of keys");
        var lines = Encoding.UTF8.GetString(InputFile.ReadBytes(handle, path, 0, (int)length)).Split('\n');
        var read = new List<byte[]>();
        foreach (var (i, line) in lines.Index())
        {
            if (line.Trim() is not { Length: > 0 } text || text.StartsWith('#')) continue;
            read.Add(text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, { Length: 64 } hex] && hex.All(char.IsAsciiHexDigit)
                ? Convert.FromHexString(hex)
                : throw new InvalidFileException(path,
                    $"line {i + 1} is not a name and 64 hexadecimal digits; add keys by \"keys\""));
        }
        return read.Count > 0 ? [.. read] : throw new InvalidFileException(path, "holds no key; add one by \"keys\"");
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
