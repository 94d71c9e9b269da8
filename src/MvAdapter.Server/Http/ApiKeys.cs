using System.Security.Cryptography;
using System.Text;
using MvAdapter.Files;

namespace MvAdapter.Server;

/// <summary>What the holder of a key may do; each includes those before it.</summary>
public enum KeyRole
{
    /// <summary>Search and look.</summary>
    Read,

    /// <summary>Caption clips and mark answers too.</summary>
    Teach,

    /// <summary>Train adapters and put them to use too.</summary>
    Train,
}

/// <summary>Whose key it is.</summary>
/// <param name="Name">The name.</param>
/// <param name="Role">What they may do.</param>
public sealed record KeyHolder(string Name, KeyRole Role);

/// <summary>
/// The keys that a server accepts. The file holds a line a key, a name, a SHA-256 and, where the holder may do more than search, a role: a key is 256 random bits, which no
/// slow hash would make harder to guess. A change of the file counts from the next second on.
/// </summary>
public sealed class ApiKeys
{
    private const string Prefix = "mva_";
    private const int KeyBytes = 32;
    private const int LongestFile = 1 << 20;
    private readonly string path;
    private readonly Lock gate = new();
    private (byte[] Hash, KeyHolder Holder)[] known;
    private DateTime modified;
    private long looked = Environment.TickCount64;

    /// <summary>Reads a file of keys.</summary>
    /// <exception cref="InvalidFileException">It is missing, empty or malformed.</exception>
    public ApiKeys(string path)
    {
        this.path = path;
        modified = File.GetLastWriteTimeUtc(path);
        known = Read(path);
    }

    /// <summary>Makes a key, appends its hash to a file, which only the owner may read, and returns the key.</summary>
    /// <param name="path">The file; made when it is not there.</param>
    /// <param name="name">Whose key it is, to find its line again.</param>
    /// <param name="role">What they may do.</param>
    public static string Add(string path, string name, KeyRole role = KeyRole.Read)
    {
        if (name.Length is 0 or > 60 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.' or '@')))
            throw new UsageException("the key's name must have 1 to 60 letters, digits or . _ - @");
        if (File.Exists(path) && new FileInfo(path).Length > 0) Read(path);   // not after the lines of some other file
        var key = Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(KeyBytes));
        var options = new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new StreamWriter(path, options);
        file.Write($"{name} {Convert.ToHexStringLower(Hash(key))}{(role == KeyRole.Read ? "" : " " + NameOf(role))}\n");
        return key;
    }

    /// <summary>Whether a key is one of the file's; takes as long whichever it is.</summary>
    public bool Accepts(string key) => Find(key) is not null;

    /// <summary>Whose key it is; null for none of the file's. Takes as long whichever it is.</summary>
    public KeyHolder? Find(string key)
    {
        var hash = Hash(key);
        KeyHolder? found = null;
        foreach (var (other, holder) in Current())
            if (CryptographicOperations.FixedTimeEquals(hash, other)) found = holder;
        return found;
    }

    /// <summary>A role as files and options write it.</summary>
    public static string NameOf(KeyRole role) => role.ToString().ToLowerInvariant();

    private (byte[] Hash, KeyHolder Holder)[] Current()
    {
        lock (gate)
        {
            if (Environment.TickCount64 - looked < 1000) return known;
            looked = Environment.TickCount64;
            var now = File.GetLastWriteTimeUtc(path);
            if (now == modified) return known;
            try
            {
                known = Read(path);
                modified = now;
            }
            catch (InvalidFileException)
            {
                // Someone may be writing it; and who damages it must not open or close the door.
            }
            return known;
        }
    }

    private static (byte[] Hash, KeyHolder Holder)[] Read(string path)
    {
        using var handle = InputFile.Open(path);
        if (RandomAccess.GetLength(handle) is var length && length > LongestFile)
            throw new InvalidFileException(path, "is too long to be a file of keys");
        var lines = Encoding.UTF8.GetString(InputFile.ReadBytes(handle, path, 0, (int)length)).Split('\n');
        var read = new List<(byte[], KeyHolder)>();
        foreach (var (i, line) in lines.Index())
        {
            if (line.Trim() is not { Length: > 0 } text || text.StartsWith('#')) continue;
            read.Add(text.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [var name, { Length: 64 } hex, .. var rest] && hex.All(char.IsAsciiHexDigit) && RoleOf(rest) is { } role
                ? (Convert.FromHexString(hex), new KeyHolder(name, role))
                : throw new InvalidFileException(path,
                    $"line {i + 1} is not a name, 64 hexadecimal digits and perhaps a role (teach or train); add keys by \"keys\""));
        }
        return read.Count > 0 ? [.. read] : throw new InvalidFileException(path, "holds no key; add one by \"keys\"");
    }

    private static KeyRole? RoleOf(string[] words) => words is [] ? KeyRole.Read
        : words is [var name] && Enum.GetValues<KeyRole>().Select(role => (KeyRole?)role).FirstOrDefault(role => NameOf(role!.Value) == name) is { } role ? role : null;

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
