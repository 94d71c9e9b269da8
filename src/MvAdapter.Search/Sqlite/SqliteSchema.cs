namespace MvAdapter.Search;

/// <summary>The tables of an index file, and how older files are brought up to date.</summary>
internal static class SqliteSchema
{
    /// <summary>"MVIX": tells an index from other programs' SQLite files.</summary>
    private const long ApplicationId = 0x4D564958;

    // Numbers are never used twice (AUTOINCREMENT), so that what was read once can be told from what came later. "changes"
    // holds each video's last revision, removed videos' too: whoever keeps vectors in memory reads what is above the
    // revision that it has seen. Vectors are float32 in the machine's order, each in a row's last column.
    private const string First = """
        CREATE TABLE collections (
            id INTEGER PRIMARY KEY AUTOINCREMENT, backbone TEXT NOT NULL, adapter TEXT NOT NULL, width INTEGER NOT NULL,
            clip TEXT NOT NULL, adapter_file TEXT, adapter_settings TEXT, vocabulary TEXT,
            sampling TEXT NOT NULL, words INTEGER NOT NULL, splitting TEXT NOT NULL, UNIQUE (backbone, adapter));
        CREATE TABLE videos (
            id INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
            path TEXT NOT NULL, size INTEGER NOT NULL, modified INTEGER NOT NULL, hash TEXT NOT NULL, duration REAL NOT NULL,
            splitting TEXT NOT NULL, problem TEXT, tags TEXT NOT NULL, UNIQUE (collection, path));
        CREATE INDEX videos_by_hash ON videos (collection, hash);
        CREATE TABLE clips (
            id INTEGER PRIMARY KEY AUTOINCREMENT, video INTEGER NOT NULL REFERENCES videos ON DELETE CASCADE,
            start REAL NOT NULL, "end" REAL NOT NULL, vector BLOB NOT NULL);
        CREATE INDEX clips_by_video ON clips (video);
        CREATE TABLE changes (revision INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, video INTEGER NOT NULL UNIQUE);
        """;

    // Beside the schema's version, which it leaves alone: programs that do not know it go on reading and writing the file, and clips that
    // they wrote have none.
    private const string Checksums = "CREATE TABLE IF NOT EXISTS checksums (clip INTEGER PRIMARY KEY REFERENCES clips ON DELETE CASCADE, crc32c INTEGER NOT NULL)";

    // Beside the version too. A succession says that a collection is to take the place of another, or, once it is whole, that it has.
    private const string Teaching = """
        CREATE TABLE IF NOT EXISTS annotations (
            id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, hash TEXT NOT NULL, path TEXT NOT NULL,
            start REAL NOT NULL, "end" REAL NOT NULL, text TEXT NOT NULL, who TEXT NOT NULL, at INTEGER NOT NULL);
        CREATE INDEX IF NOT EXISTS annotations_by_hash ON annotations (hash);
        CREATE TABLE IF NOT EXISTS successions (
            collection INTEGER PRIMARY KEY REFERENCES collections ON DELETE CASCADE, replaces INTEGER NOT NULL, whole INTEGER NOT NULL);
        """;

    /// <summary>Each brings the file from the version of its place to the next.</summary>
    private static readonly string[] Migrations = [First];

    /// <summary>Makes the tables, or brings them up to date; a file opened for reading must be.</summary>
    public static void Prepare(SqliteDatabase database, StoreAccess access)
    {
        var version = Check(database);
        if (access == StoreAccess.Read)
        {
            if (version < Migrations.Length)
                throw new InvalidFileException(database.Path, version == 0 ? "is empty: no index yet; fill it with \"index add\""
                    : "was made by an older version; run \"index add\" once, which brings it up to date");
            return;
        }
        if (version == 0) database.Execute("PRAGMA page_size = 16384");   // seven vectors of 512 on a page; of 4096 bytes it would be one
        database.Execute("PRAGMA journal_mode = WAL");
        // A process that dies loses nothing with NORMAL; a power loss may lose the last commits, never the file.
        database.Execute("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
        if (version == Migrations.Length && HasChecksums(database) && HasTeaching(database)) return;
        database.InTransaction(writes: true, () =>
        {
            // Another process may have done it meanwhile.
            for (var next = Check(database); next < Migrations.Length; next++) database.Execute(Migrations[next]);
            database.Execute(Checksums);
            database.Execute(Teaching);
            database.Execute($"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {Migrations.Length}");
            return true;
        });
    }

    /// <summary>Whether the file has checksums of vectors; one that was not written to since there are any has none.</summary>
    public static bool HasChecksums(SqliteDatabase database) => database.Number("SELECT count(*) FROM sqlite_master WHERE name = 'checksums'") > 0;

    /// <summary>Whether the file has tables of annotations and successions.</summary>
    public static bool HasTeaching(SqliteDatabase database) => database.Number("SELECT count(*) FROM sqlite_master WHERE name = 'successions'") > 0;

    private static int Check(SqliteDatabase database)
    {
        var version = database.Number("PRAGMA user_version") ?? 0;
        var foreign = database.Number("PRAGMA application_id") != ApplicationId;
        if (foreign && (version != 0 || database.Number("SELECT count(*) FROM sqlite_master") > 0))
            throw new InvalidFileException(database.Path, "is a SQLite file, but no index of this program");
        if (version > Migrations.Length)
            throw new InvalidFileException(database.Path,
                $"was made by a newer version (schema {version}; this one knows {Migrations.Length}); update this program");
        return (int)version;
    }
}
