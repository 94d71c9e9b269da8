using System.CommandLine;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>bench postgres</c>: what clips cost in PostgreSQL, and how fast and how well they are found.</summary>
internal static class PostgresBench
{
    public static Command Create()
    {
        var command = new Command("postgres", """
            Fills a collection of its own with random vectors in clusters, builds its HNSW index, and asks it: bytes a clip, rates,
            the median time of a query, and how many of the ten nearest it finds. The collection is removed at the end.

            Example:
              ./run bench postgres --index "$(eng/postgres-testbed start)" --vectors 1000000
            """);
        var index = new Option<string>("--index") { Description = "The database", Required = true, HelpName = "postgres://..." };
        var vectors = new Option<int>("--vectors") { Description = "How many", DefaultValueFactory = _ => 100_000, HelpName = "N" };
        var width = new Option<int>("--width") { Description = "Numbers of a vector", DefaultValueFactory = _ => 512, HelpName = "N" };
        var queries = new Option<int>("--queries") { Description = "How often it is asked", DefaultValueFactory = _ => 200, HelpName = "N" };
        var memory = new Option<string>("--memory") { Description = "The server's maintenance_work_mem while it builds; the index should fit", DefaultValueFactory = _ => "4GB", HelpName = "SIZE" };
        var keep = new Option<bool>("--keep") { Description = "Leave the collection there" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { index, vectors, width, queries, memory, keep, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            using var bars = new Bars();
            var result = PostgresBenchmark.Run(parsed.GetValue(index)!, parsed.GetValue(vectors), parsed.GetValue(width), parsed.GetValue(queries),
                parsed.GetValue(memory)!, parsed.GetValue(keep), bars.Next, cancellation);
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(result, Json) : result.ToString());
            return ExitCode.Success;
        });
        return command;
    }

    private static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>The bar of the part of the work that goes on.</summary>
    private sealed class Bars : IDisposable
    {
        private Terminal.Progress? current;

        public IProgress<int> Next(string what, int total)
        {
            Dispose();
            if (total == 0) Terminal.Say(what);
            return current = Terminal.Begin(what, total);
        }

        public void Dispose() => current?.Dispose();
    }
}
