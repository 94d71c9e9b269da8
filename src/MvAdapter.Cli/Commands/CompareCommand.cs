using System.CommandLine;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Comparing;
using MvAdapter.Datasets;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>compare</c>: the paper's table, on any dataset.</summary>
internal static class CompareCommand
{
    private const double LongestMinutes = 1e6;

    public static Command Create()
    {
        var command = new Command("compare", $"""
            Trains methods side by side under one budget and prints the paper's table: retrieval both ways, order accuracy,
            trainable parameters, storage, time and memory. Each run is a process of its own. Stop it at any time (Ctrl-C,
            kill, power); the same command goes on, and repeats nothing that is finished.

            Examples:
              ./run compare --clip hf:openai/clip-vit-base-patch32 --videos clips/ --captions captions.csv --lr 1e-4 --steps 500 --output runs/compare
              ./run compare --preset msrvtt --clip ViT-B-16.pt --annotations msrvtt/ --videos msrvtt/videos/ --methods zero-shot,full,adaptformer,mv-adapter --seeds 0,1,2 --output runs/table1
              ./run compare --config run.yaml --methods mv-adapter --ablations --output runs/ablations
              ./run compare --config run.yaml --methods "full:clip_lr=1e-6,mv-adapter:bottleneck=32,temporal=off" --minutes-per-run 30 --output runs/two

            A row is METHOD or METHOD:KEY=VALUE,..., a key being a setting of the method (./run info --method NAME) or one of
            {string.Join(", ", ComparisonRow.Rates)}. In --output: table.md, table.tex, table.json, index.html, written after
            every run, and runs/ with what each run left.
            """);
        var configOptions = new RunConfigOptions(command, "method", "seed");
        var methods = new Option<string>("--methods") { Description = $"The rows, or a list of them: {string.Join(", ", ComparisonRow.Lists.Keys)}", DefaultValueFactory = _ => "all", HelpName = "ROW,..." };
        var ablations = new Option<bool>("--ablations") { Description = "Add rows of MV-Adapter with parts taken away or varied" };
        var seeds = new Option<string>("--seeds") { Description = "Seeds of training: each row is trained with each of them", DefaultValueFactory = _ => "0", HelpName = "S,..." };
        var output = new Option<string>("--output") { Description = "The comparison's folder", Required = true, HelpName = "DIR" };
        var minutes = new Option<double?>("--minutes-per-run") { Description = "End each run's training after so many minutes, at whatever step; the table says which", HelpName = "M" };
        var jobs = new Option<string>("--jobs") { Description = "Runs at once, or auto: as many as cores and memory allow, once a first run has shown its memory. Times measured side by side say less", DefaultValueFactory = _ => "1", HelpName = "N|auto" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var threads = new Option<int?>("--threads") { Description = "Threads of all runs together (by default one a core)", HelpName = "N" };
        var workers = WorkerOptions.OfEachRun();
        var cache = new Option<string?>("--cache") { Description = "The folder of decoded frames (by default frames in --output)", HelpName = "DIR" };
        var strict = new Option<bool>("--strict") { Description = "Refuse a dataset with missing videos" };
        var perWorkerBatch = WorkerOptions.PerWorkerBatch();
        command.Add(perWorkerBatch);
        foreach (var option in new Option[] { methods, ablations, seeds, output, minutes, jobs, device, threads, workers, cache, strict }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var workersOfEach = WorkerOptions.OfEachRun(parsed, workers);
            var basis = WorkerOptions.WithBatch(configOptions.Read(parsed), parsed.GetValue(perWorkerBatch), workersOfEach, configOptions.HasBatch(parsed));
            var folder = parsed.GetValue(output)!;
            if (folder.Length == 0) throw new UsageException("--output is empty");
            if (File.Exists(folder)) throw new UsageException($"--output {TextForMessage.Quote(folder)} is a file; give a folder");
            var limit = parsed.GetValue(minutes);
            if (limit is not (null or (> 0 and <= LongestMinutes))) throw new UsageException("--minutes-per-run takes minutes above 0");
            var rows = ComparisonRow.ParseAll(parsed.GetValue(methods)!, basis);
            if (configOptions.HasSettings(parsed) && !rows.Any(row => row.Config.Method == basis.Method))
                throw new UsageException($"--set sets {basis.Method}'s settings, which is not compared; write them to their row, as METHOD:KEY=VALUE");
            var slots = RunSlots.Parse(parsed.GetValue(jobs)!, parsed.GetValue(threads), ModelOptions.ParseDevice(parsed.GetValue(device)!));
            if (workersOfEach > 1 && parsed.GetValue(jobs) != "1") throw new UsageException("--workers and --jobs divide the same machine; give one of them");
            var seedList = SeedList.Parse(parsed.GetValue(seeds)!);
            rows[0].Config.Validate();

            ComparisonPlan plan;
            ImageProcessor processor;
            using (var clip = ClipCheckpoint.Load(ModelFiles.Resolve(basis.Clip, null, cancellation), activation: basis.ActivationFunction()))
            {
                processor = clip.Config.CreateImageProcessor();
                plan = ComparisonPlan.Create(rows, parsed.GetValue(ablations) ? Ablations.Rows(basis) : [], seedList, folder, clip);
            }
            var remarks = Missing(basis, parsed.GetValue(strict));
            Directory.CreateDirectory(folder);
            using var exclusive = Lock(folder);
            var frames = parsed.GetValue(cache) ?? Path.Combine(folder, "frames");
            remarks.AddRange(FramePreparation.Prepare(basis, frames, processor, parsed.GetValue(strict), cancellation).Select(error => $"Not readable: {error.Message}."));
            var comparison = new Comparison(plan, slots, workersOfEach > 1 ? (workersOfEach, parsed.GetValue(device)!) : null, frames, limit, remarks);
            comparison.Run(cancellation);
            return Print(comparison, remarks);
        });
        return command;
    }

    private static int Print(Comparison comparison, List<string> remarks)
    {
        Console.WriteLine(comparison.Report().Table.ToText());
        foreach (var remark in remarks) Terminal.Warn(remark);
        Terminal.Say($"{TextForMessage.Quote(comparison.Plan.Folder)}: index.html, table.md, table.tex, table.json");
        foreach (var (run, why) in comparison.Failures) Terminal.Error($"{run.Name}: {why}");
        return comparison.Failures.Count > 0 ? ExitCode.Failure : remarks.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }

    private static List<string> Missing(RunConfig config, bool strict) =>
        [.. new[] { Split.Train, Split.Test }.Select(split => config.Load(split, strict)).Where(part => part.MissingSummary is not null)
            .Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Split.ToName()} split: {part.MissingSummary}; so the numbers are not the benchmark's."))];

    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new InvalidFileException(folder, "another comparison is running in this folder; wait for it, or choose another --output", e);
        }
    }
}
