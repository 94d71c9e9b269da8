namespace MvAdapter.Search;

/// <summary>The tables of an index in PostgreSQL, and how older ones are brought up to date.</summary>
internal static class PostgresSchema
{
    /// <summary>Held while tables are made or changed: "MVIX" and the number of this purpose.</summary>
    internal const long Lock = 0x4D564958_00000001;

    /// <summary>The oldest pgvector whose filtered searches go on until they have found enough.</summary>
    internal static readonly Version OldestVector = new(0, 8);

    // All stands in a schema of its own, so that the database can be shared. Numbers come from sequences and are never used
    // twice. Paths compare by bytes, whatever the database's language: a folder is then a range of the unique index.
    //
    // Clips are partitioned by collection: each model's vectors have their own length and their own HNSW index; searching one
    // model reads no page of another; and removing a model drops a table instead of leaving dead entries in an index that is
    // slow to vacuum. A job is due at a time or never: taking it moves the time to the end of the lease, which is all that
    // returns it when its worker is gone. The token tells its taker from an earlier one that was only asleep.
    private const string First = """
        CREATE TABLE mvadapter.collections (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, backbone text NOT NULL, adapter text NOT NULL, width int NOT NULL,
            clip text NOT NULL, adapter_file text, adapter_settings text, vocabulary text,
            sampling text NOT NULL, words int NOT NULL, splitting text NOT NULL, UNIQUE (backbone, adapter));
        CREATE TABLE mvadapter.videos (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection bigint NOT NULL REFERENCES mvadapter.collections ON DELETE CASCADE,
            path text COLLATE "C" NOT NULL, size bigint NOT NULL, modified bigint NOT NULL, hash text NOT NULL, duration float8 NOT NULL,
            splitting text NOT NULL, problem text, tags text[] NOT NULL, UNIQUE (collection, path));
        CREATE INDEX ON mvadapter.videos (collection, hash);
        CREATE INDEX ON mvadapter.videos USING gin (tags);
        CREATE SEQUENCE mvadapter.clip_ids;
        CREATE TABLE mvadapter.clips (
            id bigint NOT NULL DEFAULT nextval('mvadapter.clip_ids'), collection bigint NOT NULL,
            video bigint NOT NULL REFERENCES mvadapter.videos ON DELETE CASCADE, start float8 NOT NULL, "end" float8 NOT NULL,
            vector vector NOT NULL, PRIMARY KEY (collection, id)) PARTITION BY LIST (collection);
        CREATE INDEX ON mvadapter.clips (video);
        CREATE SEQUENCE mvadapter.job_tokens;
        CREATE TABLE mvadapter.jobs (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection bigint NOT NULL REFERENCES mvadapter.collections ON DELETE CASCADE,
            path text COLLATE "C" NOT NULL, state text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'taken', 'done', 'dead')),
            due timestamptz DEFAULT now(), attempts int NOT NULL DEFAULT 0, token bigint, worker text, problem text,
            UNIQUE (collection, path), CHECK ((due IS NULL) = (state IN ('done', 'dead'))));
        CREATE INDEX ON mvadapter.jobs (collection, due, id) WHERE due IS NOT NULL AND attempts = 0;
        CREATE INDEX ON mvadapter.jobs (collection, due, id) WHERE due IS NOT NULL AND attempts > 0;
        """;

    private const string TagsOfJobs = "ALTER TABLE mvadapter.jobs ADD COLUMN tags text[] NOT NULL DEFAULT '{}'";

    // A succession says that a collection is to take the place of another, or, once it is whole, that it has.
    private const string Teaching = """
        CREATE TABLE mvadapter.annotations (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text NOT NULL UNIQUE, kind text NOT NULL, hash text NOT NULL, path text NOT NULL,
            start float8 NOT NULL, "end" float8 NOT NULL, text text NOT NULL, who text NOT NULL, at bigint NOT NULL);
        CREATE INDEX ON mvadapter.annotations (hash);
        CREATE TABLE mvadapter.successions (
            collection bigint PRIMARY KEY REFERENCES mvadapter.collections ON DELETE CASCADE, replaces bigint NOT NULL, whole boolean NOT NULL);
        """;

    // Where the clips of a video are (null: here), and how many. The index has a name of its own, so that no shard serves two.
    private const string Shards = """
        CREATE TABLE mvadapter.shards (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, leaving boolean NOT NULL DEFAULT false);
        ALTER TABLE mvadapter.version ADD COLUMN index uuid NOT NULL DEFAULT gen_random_uuid();
        ALTER TABLE mvadapter.videos ADD COLUMN shard int REFERENCES mvadapter.shards, ADD COLUMN clips int NOT NULL DEFAULT 0;
        UPDATE mvadapter.videos v SET clips = c.number FROM (SELECT video, count(*) AS number FROM mvadapter.clips GROUP BY video) c WHERE c.video = v.id;
        CREATE INDEX ON mvadapter.videos (shard) WHERE shard IS NOT NULL;
        """;

    /// <summary>Each brings the tables from the version of its place to the next.</summary>
    private static readonly string[] Migrations = [First, TagsOfJobs, Teaching, Shards];

    /// <summary>Makes the tables, or brings them up to date; when opened for reading or writing alone they must be there.</summary>
    public static void Prepare(PostgresDatabase database, StoreAccess access)
    {
        var version = database.Run(session => Check(database, session));
        if (version == Migrations.Length)
        {
            // Types were learnt when the first connection was made, maybe before another process had added the extension.
            database.Run(session => { CheckVector(database, session); session.ReloadTypes(); return true; });
            return;
        }
        if (version == 0 && access != StoreAccess.Create)
            throw Fault(database, "there is no index in this database; make it with \"index add\" or \"index queue\"");
        if (access == StoreAccess.Read) throw Fault(database, "the index was made by an older version; run \"index add\" once, which brings it up to date");
        database.InTransaction(session =>
        {
            // Others that want the same wait here, and then find it done.
            session.Execute("SELECT pg_advisory_xact_lock($1)", Lock);
            var next = Check(database, session);
            if (next == 0)
            {
                MakeVector(database, session);
                session.Execute("CREATE SCHEMA mvadapter");
                session.Execute("CREATE TABLE mvadapter.version (number int NOT NULL)");
                session.Execute("INSERT INTO mvadapter.version VALUES (0)");
            }
            for (; next < Migrations.Length; next++) session.Execute(Migrations[next]);
            return session.Execute("UPDATE mvadapter.version SET number = $1", Migrations.Length);
        });
        database.Run(session => { session.ReloadTypes(); return true; });
    }

    private static int Check(PostgresDatabase database, PostgresSession session)
    {
        // From the catalog itself: names looked up before (to_regclass) may be remembered as absent while the lock was waited for.
        if (session.Number("SELECT 1 FROM pg_namespace WHERE nspname = 'mvadapter'") is null) return 0;
        if (session.Number("SELECT 1 FROM pg_tables WHERE schemaname = 'mvadapter' AND tablename = 'version'") is null)
            throw Fault(database, "its schema \"mvadapter\" belongs to something else; use another database");
        var version = (int)(session.Number("SELECT number FROM mvadapter.version") ?? 0);
        return version <= Migrations.Length ? version
            : throw Fault(database, $"the index was made by a newer version (schema {version}; this one knows {Migrations.Length}); update this program");
    }

    private static void MakeVector(PostgresDatabase database, PostgresSession session)
    {
        if (session.Number("SELECT 1 FROM pg_extension WHERE extname = 'vector'") is null)
        {
            if (session.Number("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'") is null)
                throw Fault(database, "the server has no pgvector; install it there (Debian: postgresql-NN-pgvector, NN being the server's version)");
            session.Execute("CREATE EXTENSION vector");
        }
        CheckVector(database, session);
    }

    private static bool CheckVector(PostgresDatabase database, PostgresSession session)
    {
        var text = session.Rows("SELECT extversion FROM pg_extension WHERE extname = 'vector'", row => row.GetString(0)).FirstOrDefault();
        return Version.TryParse(text, out var version) && version >= OldestVector ? true
            : throw Fault(database, $"the database has pgvector {TextForMessage.Quote(text ?? "no more", 20)}, and {OldestVector} is needed; "
                + "install that and run ALTER EXTENSION vector UPDATE");
    }

    private static MvAdapterException Fault(PostgresDatabase database, string reason) => new($"{TextForMessage.Quote(database.Name)}: {reason}");
}
