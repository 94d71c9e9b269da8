using System.CommandLine;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary><c>index build</c>: the approximate index of a large index file.</summary>
internal static class IndexBuildCommand
{
    public static Command Create()
    {
        var command = new Command("build", """
            Builds the approximate index of a large index file, or brings it up to date: searches then look at some thousands of clips instead of
            all. "index add" does it by itself where it is worth while. Stop it when you like; the same command goes on.

            Example:
              ./run index build --index videos.db
            """);
        var location = new IndexLocation(command);
        var number = CollectionOptions.NumberOption();
        var least = new Option<long>("--least") { Description = "Build from so many clips on; smaller collections are searched exactly", DefaultValueFactory = _ => ApproximateIndexBuilder.LeastClips, HelpName = "N" };
        var threads = new Option<int?>("--threads") { Description = "Processors to use (by default all)", HelpName = "N" };
        foreach (var option in new Option[] { number, least, threads }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(threads) is < 1) throw new UsageException("--threads must be at least 1");
            using var store = location.Open(parsed, StoreAccess.Read);
            var wanted = parsed.GetValue(number) is { } id ? [CollectionOptions.Choose(store, id, byModel: false)] : store.Latest();
            foreach (var collection in wanted)
            {
                var builder = store.ApproximateIndexBuilder(collection, parsed.GetValue(threads)) ?? throw new UsageException($"{TextForMessage.Quote(store.Name)} keeps an approximate index of its own; there is nothing to build");
                Console.WriteLine(builder.IsDue(parsed.GetValue(least), thorough: true) ? $"collection {collection.Id}: {Run(builder, cancellation)} clips taken in"
                    : $"collection {collection.Id}: nothing to do; it is small, or up to date");
            }
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>Builds what is due after a collection was filled.</summary>
    public static void RunWhereDue(ClipStore store, ClipCollection collection, CancellationToken cancellation)
    {
        if (store.ApproximateIndexBuilder(collection) is not { } builder || !builder.IsDue()) return;
        Terminal.Say("building the approximate index; the clips are safe, and \"index build\" goes on if you stop it");
        try
        {
            Run(builder, cancellation);
        }
        catch (MvAdapterException e)
        {
            Terminal.Warn($"the clips are kept, but their approximate index is not built, so that searches look at every clip: {e.Message}");
        }
    }

    private static long Run(ApproximateIndexBuilder builder, CancellationToken cancellation)
    {
        using var bar = new ApproximateBar();
        return builder.Build(bar, cancellation);
    }
}

/// <summary>How far the approximate index is, on a bar for learning its cells and for filling them.</summary>
internal sealed class ApproximateBar : IProgress<ApproximateIndexProgress>, IDisposable
{
    private Terminal.Progress? bar;
    private bool isLearning;

    public void Report(ApproximateIndexProgress value)
    {
        if (bar is null || isLearning != value.IsLearning)
        {
            bar?.Dispose();
            (bar, isLearning) = (Terminal.Begin(value.IsLearning ? "cells learnt, in clips" : "clips", value.Total), value.IsLearning);
        }
        bar.Report(value.Done);
    }

    public void Dispose() => bar?.Dispose();
}
