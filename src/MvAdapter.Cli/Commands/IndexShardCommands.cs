using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index shards</c>: the servers over which an index in PostgreSQL spreads its clips.</summary>
internal static class IndexShardCommands
{
    public static Command Create()
    {
        var command = new Command("shards", """
            Lists the servers over which an index in PostgreSQL spreads its clips, and adds or removes them. Each must have pgvector and an empty database;
            the first server reaches them by postgres_fdw and keeps their passwords. Without one all clips are on the first server.

            Examples:
              ./run index shards --index postgres://me@db/videos
              ./run index shards add postgres://me:secret@db2/clips --index postgres://me@db/videos
              ./run index shards move --index postgres://me@db/videos
            """);
        var location = new IndexLocation(command);
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Add(json);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, StoreAccess.Read);
            var shards = new ClipShards(store);
            Print(store.Name, shards.List(), shards.ToMove(), parsed.GetValue(json));
            return ExitCode.Success;
        });
        foreach (var part in new[] { Add(), Move(), Remove(), Repair() }) command.Add(part);
        return command;
    }

    private static Command Add()
    {
        var command = new Command("add", """
            Takes a server in. New videos go to it too; "index shards move" gives it its part of those that are there. The address may hold the password; better,
            leave it out and give it in MVADAPTER_SHARD_PASSWORD.

            Example:
              ./run index shards add postgres://me@db2.example.org/clips --index postgres://me@db/videos
            """);
        var address = new Argument<string>("address") { Description = "The shard's database, as the first server sees it; several hosts of one shard with commas between" };
        command.Add(address);
        var location = new IndexLocation(command);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, StoreAccess.Create);
            var shards = new ClipShards(store);
            var name = shards.Add(parsed.GetValue(address)!, Environment.GetEnvironmentVariable("MVADAPTER_SHARD_PASSWORD"));
            var count = shards.ToMove();
            Console.WriteLine($"{TextForMessage.Quote(name)} takes clips of {TextForMessage.Quote(store.Name)}");
            if (count > 0) Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{count} videos belong on another server now: \"index shards move\" moves them"));
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Move()
    {
        var command = new Command("move", """
            Moves videos to the servers where they belong, while workers write and searches go on, and deletes what broken transactions have left. Stop it when
            you like: the next one goes on. A server that was removed is dismissed once it is empty.

            Example:
              ./run index shards move --index postgres://me@db/videos
            """);
        var location = new IndexLocation(command);
        command.Runs((parsed, cancellation) =>
        {
            using var store = location.Open(parsed, StoreAccess.Write);
            var shards = new ClipShards(store);
            long moved;
            using (var bar = Terminal.Begin("videos", shards.ToMove())) moved = shards.Move(new Moved(bar), cancellation);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TextForMessage.Quote(store.Name)}: {moved} videos moved"));
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Remove()
    {
        var command = new Command("remove", """
            Lets a server go: it takes no new videos, and "index shards move" gives its own to the others, or to the first server where it is the last.

            Example:
              ./run index shards remove postgres://me@db2.example.org/clips --index postgres://me@db/videos
            """);
        var name = new Argument<string>("name") { Description = "Its name, as \"index shards\" lists it" };
        command.Add(name);
        var location = new IndexLocation(command);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, StoreAccess.Write);
            new ClipShards(store).Remove(parsed.GetValue(name)!);
            Terminal.Say("it takes no new videos; \"index shards move\" empties it");
            return ExitCode.Success;
        });
        return command;
    }

    private static Command Repair()
    {
        var command = new Command("repair", """
            Forgets videos whose clips are not on the server where they should be, as after a failover to a replica that lagged behind, and lets workers index
            them again. Without workers, "index add" does.

            Example:
              ./run index shards repair --index postgres://me@db/videos
            """);
        var location = new IndexLocation(command);
        command.Runs((parsed, cancellation) =>
        {
            using var store = location.Open(parsed, StoreAccess.Write);
            var paths = new ClipShards(store).Repair(cancellation);
            foreach (var path in paths) Console.WriteLine(TextForMessage.Quote(path));
            Terminal.Say($"{paths.Count} videos are to be indexed again");
            return ExitCode.Success;
        });
        return command;
    }

    private static void Print(string index, IReadOnlyList<ShardInfo> shards, long toMove, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                index,
                shards = shards.Select(shard => new { name = shard.Name, videos = shard.Videos, clips = shard.Clips, answers = shard.Answers, leaving = shard.IsLeaving }),
                to_move = toMove,
            }));
            return;
        }
        Console.WriteLine($"{TextForMessage.Quote(index)}: {shards.Count} {(shards.Count == 1 ? "shard" : "shards")}{(shards.Count == 0 ? "; all clips are on this server" : "")}");
        foreach (var shard in shards)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {TextForMessage.Quote(shard.Name)}: {shard.Clips} clips of {shard.Videos} videos{(shard.IsLeaving ? ", is leaving" : "")}{(shard.Answers ? "" : ", DOES NOT ANSWER")}"));
        if (toMove > 0) Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {toMove} videos belong on another server: \"index shards move\""));
    }

    private sealed class Moved(Terminal.Progress bar) : IProgress<long>
    {
        public void Report(long value) => bar.Report(value);
    }
}
