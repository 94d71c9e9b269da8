using System.CommandLine;
using MvAdapter.Adapters;
using MvAdapter.Search;
using MvAdapter.Teaching;

namespace MvAdapter.Cli;

/// <summary><c>index train</c>, <c>use</c> and <c>drop</c>: from captions in an index to an adapter, and into use.</summary>
internal static class IndexTeachCommands
{
    public static Command Train()
    {
        var command = new Command("train", """
            Trains an adapter on the captions and right answers in the index, and measures it on videos that it has not learnt from, beside
            the model that the collection has now. Stop it when you like; the same command goes on.

            Examples:
              ./run index train --output taught/
              ./run index use taught/
            """);
        var location = new IndexLocation(command);
        var number = CollectionOptions.NumberOption();
        var output = new Option<string>("--output") { Description = "The folder of the run", Required = true, HelpName = "DIR" };
        var seed = new Option<long>("--seed") { Description = "Decides the division of the videos, the order of the pairs and the adapter's first values" };
        var method = new Option<string>("--method") { Description = "Another method than the one this is made for, to compare with (info --method lists them)", DefaultValueFactory = _ => "mv-adapter", HelpName = "NAME" };
        var all = new Option<bool>("--all") { Description = "Learn from all captions and measure nothing: for who has a test set of their own (eval)" };
        var json = new Option<bool>("--json") { Description = "Print the report as JSON" };
        foreach (var option in new Option[] { number, output, seed, method, all, json }) command.Add(option);
        var machine = new MachineOptions(command, withPrecision: false);
        var precision = new Option<string?>("--precision") { Description = "fp32, or bf16 for products in bfloat16 (by default what is faster here)" };
        precision.AcceptOnlyFromAmong("fp32", "bf16");
        command.Add(precision);
        command.Runs((parsed, cancellation) =>
        {
            using var store = location.Open(parsed, StoreAccess.Read);
            var collection = CollectionOptions.Choose(store, parsed.GetValue(number), byModel: false);
            var folder = new TeachingFolder(parsed.GetValue(output)!);
            _ = Methods.Find(parsed.GetValue(method)!);
            using var held = folder.Hold();
            using var bar = Terminal.Begin("steps", 0);
            var run = new TeachingRun(store, collection, folder, source => machine.Apply(parsed, source),
                parsed.GetValue(precision) ?? MachineReport.FasterPrecision(ModelOptions.ParseDevices(machine.DeviceName(parsed))[0]), bar) { Method = parsed.GetValue(method)!, All = parsed.GetValue(all) };
            var report = run.Run(parsed.GetValue(seed), cancellation);
            bar.Clear();
            if (report is null) Console.WriteLine($"{TextForMessage.Quote(folder.Adapter)} has learnt from all captions and is not measured; \"eval --adapter\" measures it on a test set of yours");
            else if (parsed.GetValue(json)) Console.WriteLine(File.ReadAllText(folder.Report));
            else
            {
                Console.WriteLine(report.ToText());
                Console.WriteLine(report.IsBetter ? $"{TextForMessage.Quote(folder.Adapter)} is better beyond the interval; put it to use by \"index use {TextForMessage.Quote(folder.Path)}\""
                    : $"{TextForMessage.Quote(folder.Adapter)} is not better beyond the interval: keep the model that you have, and caption more");
            }
            return ExitCode.Success;
        });
        return command;
    }

    public static Command Use()
    {
        var command = new Command("use", """
            Encodes all videos of a collection again by an adapter that index train made, and lets the result take the collection's place when it
            is whole. Until then, and if it is stopped, the old one is searched; the same command goes on. The old one stays until it is dropped.

            Example:
              ./run index use taught/
            """);
        var run = new Argument<string>("run") { Description = "The folder of index train" };
        command.Add(run);
        var location = new IndexLocation(command);
        var force = new Option<bool>("--force") { Description = "Even if the adapter is not better beyond the interval" };
        command.Add(force);
        var machine = new MachineOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            var folder = new TeachingFolder(parsed.GetValue(run)!);
            if (folder.ReadSnapshot() is not { } snapshot) throw new InvalidFileException(folder.Path, "holds no run of index train");
            if (!File.Exists(folder.Report) && !(snapshot.All && File.Exists(folder.Adapter))) throw new InvalidFileException(folder.Path, "the run is not finished; go on with it by \"index train\"");
            if (snapshot.All && !parsed.GetValue(force)) throw new MvAdapterException("the adapter was not measured, so the old model stays; --force puts it to use all the same");
            if (!snapshot.All && !TeachingReport.Read(folder.Report).IsBetter && !parsed.GetValue(force))
                throw new MvAdapterException("the adapter is not better beyond the interval, so the old model stays; --force puts it to use all the same");
            using var store = location.Open(parsed, StoreAccess.Write);
            var old = CollectionOptions.Choose(store, snapshot.Collection, byModel: false);
            using var bar = Terminal.Begin("videos", 0);
            var next = Succession.Build(store, old, folder.Adapter, source => machine.Apply(parsed, source), bar, cancellation);
            bar.Clear();
            var info = store.Info(next);
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: collection {next.Id} ({info.Clips} clips of {info.Videos} videos) has taken the place of {old.Id}; \"index drop {old.Id}\" removes that one");
            return ExitCode.Success;
        });
        return command;
    }

    public static Command Drop()
    {
        var command = new Command("drop", """
            Removes a collection with all its clips. Captions and marks stay: they belong to the videos.

            Example:
              ./run index drop 1
            """);
        var number = new Argument<long>("collection") { Description = "The collection's number (see index collections)" };
        command.Add(number);
        var location = new IndexLocation(command);
        var force = new Option<bool>("--force") { Description = "Even if no other has taken its place" };
        command.Add(force);
        command.Runs((parsed, _) =>
        {
            using var store = location.Open(parsed, StoreAccess.Write);
            var id = parsed.GetValue(number);
            var collection = store.Collections().FirstOrDefault(known => known.Id == id) ?? throw new UsageException($"{TextForMessage.Quote(store.Name)} has no collection {id}; see \"index collections\"");
            if (!collection.IsBuilding && store.Latest().Any(latest => latest.Id == id) && !parsed.GetValue(force))
                throw new MvAdapterException($"no other collection has taken the place of {id}; if it is to go all the same, use --force");
            store.RemoveCollection(collection);
            Console.WriteLine($"{TextForMessage.Quote(store.Name)}: collection {id} is removed");
            return ExitCode.Success;
        });
        return command;
    }
}
